// Task 1: publishes 100 events.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"time"

	"clients/franz-go/lab"

	"github.com/twmb/franz-go/pkg/kgo"
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

func report(record *kgo.Record, err error) {
	if err != nil {
		fmt.Println("Delivery FAILED:", err)
		return
	}
	fmt.Printf("Delivered → topic=%s partition=%d offset=%d\n", record.Topic, record.Partition, record.Offset)
}

func main() {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(lab.Brokers()...),
		kgo.RequiredAcks(kgo.AllISRAcks()),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()

	ctx := context.Background()
	for id := range 100 {
		event := randomEvent(id)
		value, err := json.Marshal(event)
		if err != nil {
			log.Fatal(err)
		}
		client.Produce(ctx, &kgo.Record{Topic: "clickstream", Key: []byte(event.UserID), Value: value}, report)
	}
	if err := client.Flush(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("Done. Published 100 events.")
}
