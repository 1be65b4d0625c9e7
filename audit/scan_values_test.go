package audit

import (
	"errors"
	"strings"
	"testing"
)

func TestScanBoundsValues(t *testing.T) {
	f := func(name, item string, refused bool) {
		t.Helper()
		var broken *ItemError
		err := Scan([]byte(item), new(Event))
		if errors.As(err, &broken) != refused || refused && broken.Reason != ReasonSize {
			t.Errorf("%s: got %v", name, err)
		}
	}
	list := func(value string, n int) string { return "[" + strings.Repeat(value+",", n-1) + value + "]" }
	f("a list as long as may be", `{"sourceIPs":`+list(`""`, maxValues)+`}`, false)
	f("a longer one", `{"sourceIPs":`+list(`""`, maxValues+1)+`}`, true)
	f("two lists", `{"user":{"groups":`+list(`""`, maxValues/2+1)+`,"extra":{"a":`+list(`""`, maxValues/2+1)+`}}}`, true)
	f("annotations", `{"annotations":{`+strings.Repeat(`"a":"",`, maxValues)+`"b":""}}`, true)
	f("an unknown member", `{"x":[`+list(`[]`, 10)+`,`+list(`1`, maxValues)+`],"verb":null}`, false)
	f("commas in a text", `{"requestURI":"`+strings.Repeat(",", 2*maxValues)+`","verb":null}`, false)
	f("a body", `{"requestObject":`+list(`1`, 2*maxValues)+`,"verb":null}`, false)
}
