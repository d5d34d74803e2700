// Task 3, the member B.
package main

import "clients/sarama/member"

func main() {
	member.Run("B")
}
