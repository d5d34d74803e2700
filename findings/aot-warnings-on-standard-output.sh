#!/usr/bin/env bash
# Versions: Kafka 4.4.0 tools, Java 25 (JAVA25_HOME, or the first one below /usr/lib/jvm).
# Guess before looking: with an AOT cache (JEP 483, 514) kafka-get-offsets prints the same as without, only sooner; a
#   cache that no longer fits the jars leaves a warning on standard error.
#   (We wrote it as a user's expectation; we knew of warnings in a broker's log.)
# Seen: the one line of result comes after the JVM's own lines, all on *standard output*: a run that writes the cache
#   prints dozens of warnings, and a run with a cache whose jar files have another timestamp prints [warning][aot] and
#   [error][aot] lines. Nothing of this goes to standard error, the exit status is 0, and the result is right. Even with
#   a cache that fits, four warnings came first (not checked: they may depend on the processor). -Xlog:disable
#   silences all of them.
# Why it matters: topic:partition:offset is read by scripts. A cache that speeds up the tools threefold breaks these
#   scripts after the next update of Kafka, with exit status 0.
. "$(dirname "$0")/lib/kafka.sh"
java25=${JAVA25_HOME:-$(ls -d /usr/lib/jvm/*-25-* /usr/lib/jvm/*-25 2>/dev/null | head -1)}/bin/java
"$java25" -version 2>&1 | grep -q '"25' || broken "Java 25 is needed: set JAVA25_HOME"
java_command=$java25
kafka_node
tool topics --create --topic clicks --partitions 1 >/dev/null
offsets() { # [JVM OPTION…]
    nice "$java25" -Xmx256m -XX:+UseSerialGC "$@" -Dlog4j2.configurationFile="$work/tools-log4j2.properties" \
        -cp "$work/jars-$KAFKA/*" org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$BOOTSTRAP" \
        --topic clicks >"$work/out" 2>"$work/err"
    status=$?
    jvm_out=$(grep -c '^\[.*\[aot' "$work/out")
    jvm_err=$(grep -c '^\[.*\[aot' "$work/err")
    result=$(grep '^clicks:' "$work/out")
    [ "$jvm_out" -gt 0 ] && jvm_out=some
    seen="status $status, JVM's lines on standard output $jvm_out, on standard error $jvm_err, result $result"
}
clean="status 0, JVM's lines on standard output 0, on standard error 0, result clicks:0:0"
noisy="status 0, JVM's lines on standard output some, on standard error 0, result clicks:0:0"
offsets
see 'without a cache' "$clean" "$seen"
offsets -XX:AOTCacheOutput="$work/tool.aot"
see 'writing the cache' "$noisy" "$seen"
offsets -XX:AOTCache="$work/tool.aot"
echo "not checked: with the cache: $seen"
find "$work/jars-$KAFKA" -name '*.jar' -exec touch {} +
offsets -XX:AOTCache="$work/tool.aot"
see 'with a cache of jars that have another timestamp' "$noisy" "$seen"
sed 's/^/    /' "$work/out"
offsets -XX:AOTCache="$work/tool.aot" -Xlog:disable
see 'the same with -Xlog:disable' "$clean" "$seen"
verdict
