package output

import "strings"

// Slack returns s for Slack's mrkdwn, as [Text] renders it, with & < > as
// entities (which takes away mentions as <!channel> and links) and the bare
// names that Slack links where link_names is on (@channel, @here, @everyone)
// broken. It is cut before it is escaped: no entity is cut in two.
func Slack(s string, max int) string {
	return slackReplacer().Replace(Text(s, max))
}

func slackReplacer() *strings.Replacer {
	const breaker = "\u200b"
	return strings.NewReplacer(
		"&", "&amp;", "<", "&lt;", ">", "&gt;",
		"@channel", "@"+breaker+"channel", "@here", "@"+breaker+"here", "@everyone", "@"+breaker+"everyone",
	)
}
