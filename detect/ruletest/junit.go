package ruletest

import (
	"encoding/xml"
	"fmt"
	"io"

	"github.com/klaxon-dev/klaxon/rules"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     rules.RuleID `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Cases    []junitCase  `xml:"testcase"`
}

type junitCase struct {
	Name    string        `xml:"name,attr"`
	Class   rules.RuleID  `xml:"classname,attr"`
	File    string        `xml:"file,attr"`
	Line    int           `xml:"line,attr"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes results as JUnit's XML, which build servers read: a suite for
// each rule. Results of one rule lie together.
func WriteJUnit(w io.Writer, results []Result) error {
	all := junitSuites{Name: "klaxon rules test"}
	for _, r := range results {
		if n := len(all.Suites); n == 0 || all.Suites[n-1].Name != r.Rule {
			all.Suites = append(all.Suites, junitSuite{Name: r.Rule})
		}
		suite := &all.Suites[len(all.Suites)-1]
		c := junitCase{Name: r.Test, Class: r.Rule, File: r.File, Line: r.Line}
		if !r.Passed {
			c.Failure = &junitFailure{Message: r.Message, Text: fmt.Sprintf("%s:%d: %s", r.File, r.Line, r.Message)}
			suite.Failures++
			all.Failures++
		}
		suite.Cases = append(suite.Cases, c)
		suite.Tests++
		all.Tests++
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(&all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
