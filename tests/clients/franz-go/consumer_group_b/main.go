// Task 3, the member B.
package main

import "clients/franz-go/member"

func main() {
	member.Run("B")
}
