// Task 4: dies after fifteen messages, before it commits.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"clients/franz-go/lab"

	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(lab.Brokers()...),
		kgo.ConsumerGroup("crash-demo-group"),
		kgo.ConsumeTopics("clickstream"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(10*time.Second),
		kgo.DisableAutoCommit(),
	)
	if err != nil {
		log.Fatal(err)
	}

	processed := 0
	for {
		fetches := client.PollFetches(context.Background())
		if err := fetches.Err(); err != nil {
			log.Print(err)
		}
		for _, record := range fetches.Records() {
			var event lab.Event
			if err := json.Unmarshal(record.Value, &event); err != nil {
				log.Fatal(err)
			}
			fmt.Printf("partition=%d offset=%d event_id=%d\n", record.Partition, record.Offset, event.EventID)
			processed++
			if processed == 15 {
				// As if the power had failed: nothing is closed, and nobody is told.
				os.Exit(1)
			}
		}
	}
}
