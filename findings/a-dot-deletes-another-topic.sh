#!/usr/bin/env bash
# Versions: Kafka 4.4.0.
# Guess before looking: kafka-topics --delete --topic orders.eu deletes only orders.eu if a topic has just that name.
#   (We wrote it as a user's expectation; we suspected that both topics go.)
# Seen: --topic is a regular expression, also where a topic has exactly the name that was given. The dot matches the
#   hyphen, so orders-eu goes as well, without a question or a word of output, exit status 0. With orders\.eu only
#   orders.eu goes.
# Why it matters: dots are the usual separator in names of topics. A clean-up script that deletes a.b takes a-b and axb
#   with it, and nothing on the screen tells.
. "$(dirname "$0")/lib/kafka.sh"
kafka_node
list() { tool topics --list 2>/dev/null | grep '^orders' | sort | tr '\n' ' '; }
tool topics --create --topic orders.eu >/dev/null 2>&1
tool topics --create --topic orders-eu >/dev/null 2>&1
see 'topics before' 'orders-eu orders.eu ' "$(list)"
output=$(tool topics --delete --topic orders.eu)
see 'status and output of the deletion of orders.eu' '0 ()' "$? ($output)"
see 'topics that remain' '' "$(list)"
tool topics --create --topic orders.eu >/dev/null 2>&1
tool topics --create --topic orders-eu >/dev/null 2>&1
tool topics --delete --topic 'orders\.eu' >/dev/null
see 'topics that remain after orders\.eu' 'orders-eu ' "$(list)"
verdict
