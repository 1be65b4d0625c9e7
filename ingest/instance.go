package ingest

// nameOf returns what records call a sender. Detection's time is the least that
// any sender has come to, so that of one process never stands for another's: the
// same sender has a name of its own at each.
func (o *Options) nameOf(s Sender) string {
	if o.Instance == "" {
		return s.Name
	}
	return o.Instance + "/" + s.Name
}
