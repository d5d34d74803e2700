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

	"clients/sarama/lab"

	"github.com/IBM/sarama"
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
func report(producer sarama.AsyncProducer) {
	successes, failures := producer.Successes(), producer.Errors()
	for successes != nil || failures != nil {
		select {
		case record, ok := <-successes:
			if !ok {
				successes = nil
				continue
			}
			fmt.Printf("Delivered → topic=%s partition=%d offset=%d\n", record.Topic, record.Partition, record.Offset)
		case failure, ok := <-failures:
			if !ok {
				failures = nil
				continue
			}
			fmt.Println("Delivery FAILED:", failure.Err)
		}
	}
}

func main() {
	producer := lab.AsyncProducer()
	var reports sync.WaitGroup
	reports.Go(func() { report(producer) })
	for id := range 100 {
		event := randomEvent(id)
		value, err := json.Marshal(event)
		if err != nil {
			log.Fatal(err)
		}
		producer.Input() <- &sarama.ProducerMessage{
			Topic: "clickstream",
			Key:   sarama.StringEncoder(event.UserID),
			Value: sarama.ByteEncoder(value),
		}
	}
	// This sends what is left, and then closes the channels.
	producer.AsyncClose()
	reports.Wait()
	fmt.Println("Done. Published 100 events.")
}
