// Task 3, the member A.
package main

import "clients/confluent-kafka-go/member"

func main() {
	member.Run("A")
}
