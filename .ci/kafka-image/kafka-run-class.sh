#!/bin/sh
# Runs a class from Kafka's jars. The server sets KAFKA_LOG4J_OPTS; the tools use the quiet logging.
quiet=-Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.yaml
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dkafka.logs.dir=/opt/kafka/logs \
    ${KAFKA_LOG4J_OPTS:-$quiet} -cp "/opt/kafka/libs/*" "$@"
