// Task 5: charges each payment once.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"clients/franz-go/lab"

	_ "github.com/mattn/go-sqlite3"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	table  = "CREATE TABLE IF NOT EXISTS charges (event_id TEXT PRIMARY KEY, user_id TEXT, amount REAL)"
	charge = "INSERT INTO charges (event_id, user_id, amount) VALUES (?, ?, ?) ON CONFLICT (event_id) DO NOTHING"
)

type payment struct {
	EventID *string  `json:"event_id"`
	UserID  *string  `json:"user_id"`
	Amount  *float64 `json:"amount"`
}

// paymentIn returns the payment in a message, and whether there is one.
func paymentIn(value []byte) (payment, bool) {
	var p payment
	if err := json.Unmarshal(value, &p); err != nil {
		return p, false
	}
	isPayment := p.EventID != nil && *p.EventID != "" && p.UserID != nil && p.Amount != nil && *p.Amount > 0
	return p, isPayment
}

func openDatabase() *sql.DB {
	file := os.Getenv("BILLING_DB")
	if file == "" {
		file = "billing.db"
	}
	database, err := sql.Open("sqlite3", file)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := database.Exec(table); err != nil {
		log.Fatal(err)
	}
	return database
}

// process charges the payments of a batch, all of them or none. Messages that are not payments become dead letters.
func process(client *kgo.Client, database *sql.DB, batch []*kgo.Record) error {
	charges, err := database.Begin()
	if err != nil {
		return err
	}
	defer charges.Rollback()
	for _, record := range batch {
		p, ok := paymentIn(record.Value)
		if !ok {
			letter := &kgo.Record{Topic: "payments.dlq", Key: record.Key, Value: record.Value}
			if err := client.ProduceSync(context.Background(), letter).FirstErr(); err != nil {
				return err
			}
			fmt.Printf("Dead letter: offset %d of partition %d\n", record.Offset, record.Partition)
			continue
		}
		if _, err := charges.Exec(charge, *p.EventID, *p.UserID, *p.Amount); err != nil {
			return err
		}
	}
	return charges.Commit()
}

func main() {
	database := openDatabase()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(lab.Brokers()...),
		kgo.ConsumerGroup("billing-service"),
		kgo.ConsumeTopics("payments"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(10*time.Second),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
	)
	if err != nil {
		log.Fatal(err)
	}
	defer client.CloseAllowingRebalance()

	ctx := lab.UntilStopped()
	for {
		fetches := client.PollRecords(ctx, 20)
		if ctx.Err() != nil {
			return
		}
		if err := fetches.Err(); err != nil {
			log.Print(err)
		}
		if batch := fetches.Records(); len(batch) > 0 {
			if err := process(client, database, batch); err != nil {
				log.Fatal(err)
			}
			// Last: the committed offsets are never ahead of the database.
			if err := client.CommitRecords(context.Background(), batch...); err != nil {
				log.Fatal(err)
			}
			fmt.Printf("Committed batch of %d.\n", len(batch))
		}
		client.AllowRebalance()
	}
}
