package cli

import "github.com/spf13/cobra"

// commands lists the subcommands in the order of the help text.
func commands(streams Streams) []*cobra.Command {
	return []*cobra.Command{
		newScanCommand(streams),
		newServeCommand(streams),
		newFindingsCommand(streams),
		newEventsCommand(streams),
		newDeadLetterCommand(streams),
		newSenderCommand(streams),
		newReplayCommand(streams),
		newTailCommand(streams),
		newRulesCommand(streams),
		newEngineCommand(streams),
		newKafkaCommand(streams),
	}
}
