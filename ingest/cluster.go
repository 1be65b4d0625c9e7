package ingest

import (
	"fmt"
	"regexp"
)

// clusterName is a DNS label (RFC 1123): a name that is safe in a URL's path,
// in a file name and in a metric's label.
var clusterName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// CheckCluster returns an error that says how a cluster's name must look,
// unless name looks like that.
func CheckCluster(name string) error {
	if !clusterName.MatchString(name) {
		return fmt.Errorf("%.80q is not a cluster name: 1 to 63 of a-z, 0-9 and '-', with no '-' first or last", name)
	}
	return nil
}
