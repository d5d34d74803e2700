// Package member is task 3: one member of the group.
package member

import (
	"context"
	"fmt"
	"log"
	"time"

	"clients/franz-go/lab"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Run reads messages as the member with this name until someone presses Ctrl-C.
func Run(name string) {
	printer := func(what string) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			fmt.Printf("%s: %s partitions %v\n", name, what, partitions["clickstream"])
		}
	}
	client, err := kgo.NewClient(
		kgo.SeedBrokers(lab.Brokers()...),
		kgo.ConsumerGroup("scale-group"),
		kgo.ConsumeTopics("clickstream"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(10*time.Second),
		kgo.DisableAutoCommit(),
		kgo.OnPartitionsAssigned(printer("assigned")),
		kgo.OnPartitionsRevoked(printer("revoked")),
		kgo.OnPartitionsLost(printer("revoked")),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := lab.UntilStopped()
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		if err := fetches.Err(); err != nil {
			log.Print(err)
		}
		for _, record := range fetches.Records() {
			fmt.Printf("%s: partition=%d offset=%d user=%s\n", name, record.Partition, record.Offset, record.Key)
			if err := client.CommitRecords(context.Background(), record); err != nil {
				log.Print(err)
			}
		}
	}
}
