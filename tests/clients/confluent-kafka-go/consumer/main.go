// Task 2: reads batches of 20 events, and commits each batch last.
package main

import (
	"encoding/json"
	"fmt"
	"log"

	"clients/confluent-kafka-go/lab"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

const batchSize = 20

func main() {
	var batch []lab.Event
	totals := map[string]int{}
	consumer := lab.Consumer("analytics-service", "clickstream", "10000", func(*kafka.Consumer, kafka.Event) error {
		// After a rebalance, each partition goes on from its committed offset, so this batch comes again.
		batch = nil
		return nil
	})
	defer consumer.Close()

	ctx := lab.UntilStopped()
	for ctx.Err() == nil {
		message := lab.Next(consumer)
		if message == nil {
			continue
		}
		var event lab.Event
		if err := json.Unmarshal(message.Value, &event); err != nil {
			log.Fatal(err)
		}
		batch = append(batch, event)
		if len(batch) == batchSize {
			process(batch, totals)
			if _, err := consumer.Commit(); err != nil {
				log.Fatal(err)
			}
			fmt.Printf("Committed batch of %d.\n", batchSize)
			batch = nil
		}
	}
}

func process(batch []lab.Event, totals map[string]int) {
	counts := map[string]int{}
	for _, event := range batch {
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
