// Task 6: copies purchases in transactions.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"clients/franz-go/lab"

	"github.com/twmb/franz-go/pkg/kgo"
)

const group = "purchase-extractor"

func main() {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(lab.Brokers()...),
		kgo.TransactionalID(group),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics("clickstream"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// A killed member keeps its partitions for this long, and the broker allows no less than 6 s.
		kgo.SessionTimeout(6*time.Second),
		kgo.RequireStableFetchOffsets(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer session.Close()

	ctx := lab.UntilStopped()
	// The client asks for its producer id only when it needs it. Asked now, the broker aborts at once what a killed
	// instance left open, and an older instance that still runs can commit nothing more.
	if _, _, err := session.Client().ProducerID(ctx); err != nil {
		log.Fatal(err)
	}
	for {
		fetches := session.PollFetches(ctx)
		if ctx.Err() != nil {
			return
		}
		if err := fetches.Err(); err != nil {
			log.Print(err)
		}
		if fetches.NumRecords() > 0 {
			copyPurchases(session, fetches.Records())
		}
	}
}

// copyPurchases copies the purchases of a batch. The session commits the offsets of all that was polled with them; if
// it aborts, it goes back to the committed offsets.
func copyPurchases(session *kgo.GroupTransactSession, batch []*kgo.Record) {
	ctx := context.Background()
	if err := session.Begin(); err != nil {
		log.Fatal(err)
	}
	var failure kgo.FirstErrPromise
	purchases := 0
	for _, record := range batch {
		var event lab.Event
		if err := json.Unmarshal(record.Value, &event); err != nil {
			log.Fatal(err)
		}
		if event.EventType == "purchase" && event.Amount != nil {
			session.Produce(ctx, &kgo.Record{Topic: "purchases", Key: record.Key, Value: record.Value}, failure.Promise())
			purchases++
		}
	}
	produced := failure.Err() == nil
	committed, err := session.End(ctx, kgo.TransactionEndTry(produced))
	if err != nil {
		log.Fatal(err)
	}
	if committed {
		fmt.Printf("Committed a batch of %d: %d purchases.\n", len(batch), purchases)
	}
}
