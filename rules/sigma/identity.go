package sigma

import (
	"regexp"
	"strings"
)

// maxID leaves room for what makes an id unlike the others.
const maxID = 64

var uuid = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func isUUID(s string) bool { return uuid.MatchString(s) }

// kebab makes a rule's id of its title.
func kebab(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(title) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-") && r != '\'':
			b.WriteByte('-')
		}
	}
	id := shorten(b.String())
	if id == "" || id[0] >= '0' && id[0] <= '9' {
		id = strings.TrimSuffix("sigma-"+id, "-")
	}
	return id
}

// shorten cuts an id at a word's end.
func shorten(id string) string {
	id = strings.Trim(id, "-")
	if len(id) <= maxID {
		return id
	}
	id = id[:maxID]
	if i := strings.LastIndexByte(id, '-'); i > maxID/2 {
		id = id[:i]
	}
	return strings.Trim(id, "-")
}
