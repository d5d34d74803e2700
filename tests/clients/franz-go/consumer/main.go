// Task 2: reads batches of 20 events, and commits each batch last.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"sync/atomic"
	"time"

	"clients/franz-go/lab"

	"github.com/twmb/franz-go/pkg/kgo"
)

const batchSize = 20

func main() {
	var rebalanced atomic.Bool
	client, err := kgo.NewClient(
		kgo.SeedBrokers(lab.Brokers()...),
		kgo.ConsumerGroup("analytics-service"),
		kgo.ConsumeTopics("clickstream"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(10*time.Second),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(context.Context, *kgo.Client, map[string][]int32) {
			rebalanced.Store(true)
		}),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseAllowingRebalance()

	ctx := lab.UntilStopped()
	var batch []*kgo.Record
	totals := map[string]int{}
	for {
		fetches := client.PollRecords(ctx, batchSize-len(batch))
		if ctx.Err() != nil {
			return
		}
		if err := fetches.Err(); err != nil {
			log.Print(err)
		}
		if rebalanced.Swap(false) {
			// After a rebalance, each partition goes on from its committed offset, so this batch comes again.
			batch = nil
		}
		batch = append(batch, fetches.Records()...)
		if len(batch) == batchSize {
			process(batch, totals)
			if err := client.CommitRecords(context.Background(), batch...); err != nil {
				log.Fatal(err)
			}
			fmt.Printf("Committed batch of %d.\n", batchSize)
			batch = nil
		}
		client.AllowRebalance()
	}
}

func process(batch []*kgo.Record, totals map[string]int) {
	counts := map[string]int{}
	for _, record := range batch {
		var event lab.Event
		if err := json.Unmarshal(record.Value, &event); err != nil {
			log.Fatal(err)
		}
		counts[event.EventType]++
		totals[event.EventType]++
		if event.EventType == "purchase" && event.Amount != nil {
			fmt.Printf("  Purchase: user=%s amount=$%.2f\n", event.UserID, *event.Amount)
		}
	}
	fmt.Println("Batch summary:", asJSON(counts))
	fmt.Println("Running totals:", asJSON(totals))
}

func asJSON(counts map[string]int) string {
	text, err := json.Marshal(counts)
	if err != nil {
		log.Fatal(err)
	}
	return string(text)
}
