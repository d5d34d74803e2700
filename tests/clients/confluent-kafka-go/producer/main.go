// Task 1: publishes 100 events.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"clients/confluent-kafka-go/lab"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"
)

var eventTypes = []string{"page_view", "add_to_cart", "purchase", "search"}

func randomEvent(id int) lab.Event {
	event := lab.Event{
		EventID:   id,
		UserID:    fmt.Sprintf("user_%d", 1+rand.IntN(20)),
		EventType: eventTypes[rand.IntN(len(eventTypes))],
		Timestamp: float64(time.Now().UnixMilli()) / 1000,
	}
	if rand.Float64() < 0.3 {
		amount := math.Round(1000+rand.Float64()*49000) / 100
		event.Amount = &amount
	}
	return event
}

// report prints what became of each record, until the producer is closed.
func report(events chan kafka.Event) {
	for event := range events {
		switch event := event.(type) {
		case *kafka.Message:
			place := event.TopicPartition
			if place.Error != nil {
				fmt.Println("Delivery FAILED:", place.Error)
				continue
			}
			fmt.Printf("Delivered → topic=%s partition=%d offset=%d\n", *place.Topic, place.Partition, place.Offset)
		case kafka.Error:
			log.Print(event)
		}
	}
}

func main() {
	producer := lab.Producer(kafka.ConfigMap{"acks": "all"})
	var reports sync.WaitGroup
	reports.Go(func() { report(producer.Events()) })

	topic := "clickstream"
	for id := range 100 {
		event := randomEvent(id)
		value, err := json.Marshal(event)
		if err != nil {
			log.Fatal(err)
		}
		err = producer.Produce(&kafka.Message{
			TopicPartition: kafka.TopicPartition{Topic: &topic, Partition: kafka.PartitionAny},
			Key:            []byte(event.UserID),
			Value:          value,
		}, nil)
		if err != nil {
			log.Fatal(err)
		}
	}
	for producer.Flush(1000) > 0 {
	}
	producer.Close()
	reports.Wait()
	fmt.Println("Done. Published 100 events.")
}
