// Task 4: dies after fifteen messages, before it commits.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"

	"clients/confluent-kafka-go/lab"
)

func main() {
	consumer := lab.Consumer("crash-demo-group", "clickstream", "10000", nil)
	processed := 0
	for {
		message := lab.Next(consumer)
		if message == nil {
			continue
		}
		var event lab.Event
		if err := json.Unmarshal(message.Value, &event); err != nil {
			log.Fatal(err)
		}
		place := message.TopicPartition
		fmt.Printf("partition=%d offset=%d event_id=%d\n", place.Partition, place.Offset, event.EventID)
		processed++
		if processed == 15 {
			// As if the power had failed: nothing is closed, and nobody is told.
			os.Exit(1)
		}
	}
}
