# shellcheck shell=bash
# Sourced by the scripts of this folder: a temporary folder that goes away at the end, pinned packages, and a single
# KRaft node from Maven jars that listens on 127.0.0.1 only.
#
#   kafka_jars VERSION              download Kafka's jars (server and tools) into the temporary folder
#   kafka_format VERSION [LINE…]    write server.properties with the extra LINEs and format the data folder
#   kafka_start VERSION             start the node and wait until it is ready; its address is $BOOTSTRAP
#   kafka_node [LINE…]              both, with the version $KAFKA
#   kafka_class VERSION CLASS ARG…  run one of Kafka's main classes
#   tool NAME ARG…                  run one of Kafka $KAFKA's command-line tools: topics, groups, …
#   see NAME EXPECTED ACTUAL        print what was seen; remember if it is not what was expected
#   verdict                         exit 0 if everything was as expected, else 1
set -u -o pipefail

KAFKA=${KAFKA:-4.4.0}
work=$(mktemp -d "${TMPDIR:-/tmp}/finding.XXXXXX") || exit 2
node_pid=
children=()
changed=0

# Stops everything this script started, by process id, and removes its folder.
clean_up() {
    trap '' INT TERM HUP
    local pid
    for pid in "$node_pid" ${children[@]+"${children[@]}"}; do
        [ -n "$pid" ] && kill "$pid" 2>/dev/null
    done
    for pid in "$node_pid" ${children[@]+"${children[@]}"}; do
        [ -n "$pid" ] || continue
        for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    chmod -R u+w "$work" 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

broken() { echo "cannot run: $*" >&2; exit 2; }

see() {
    if [ "$2" = "$3" ]; then
        echo "seen: $1: $3"
    else
        echo "CHANGED: $1: expected '$2', saw '$3'"
        changed=1
    fi
}

verdict() {
    if [ "$changed" = 0 ]; then echo "as stated"; exit 0; fi
    echo "the behavior changed, see the lines that begin with CHANGED"
    exit 1
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# maven_jars FOLDER GROUP:ARTIFACT:VERSION…: copies the artifacts and what they depend on into FOLDER.
maven_jars() {
    local folder=$1 coordinate group artifact version
    shift
    mkdir -p "$folder"
    {
        echo '<project><modelVersion>4.0.0</modelVersion><groupId>finding</groupId><artifactId>finding</artifactId>'
        echo '<version>1</version><packaging>pom</packaging><dependencies>'
        for coordinate in "$@"; do
            IFS=: read -r group artifact version <<<"$coordinate"
            echo "<dependency><groupId>$group</groupId><artifactId>$artifact</artifactId>"
            echo "<version>$version</version></dependency>"
        done
        echo '</dependencies></project>'
    } >"$folder/pom.xml"
    mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$folder" \
        >"$folder/mvn.log" 2>&1 || broken "Maven: $(tail -3 "$folder/mvn.log")"
}

kafka_jars() {
    [ -d "$work/jars-$1" ] && return
    maven_jars "$work/jars-$1" "org.apache.kafka:kafka_2.13:$1" "org.apache.kafka:kafka-tools:$1" \
        org.apache.logging.log4j:log4j-slf4j-impl:2.25.4
    cat >"$work/tools-log4j2.properties" <<'LOG'
rootLogger.level = warn
rootLogger.appenderRef.e.ref = E
appender.e.type = Console
appender.e.name = E
appender.e.target = SYSTEM_ERR
appender.e.layout.type = PatternLayout
appender.e.layout.pattern = [%d] %p %m (%c)%n
LOG
    sed 's/level = warn/level = info/' "$work/tools-log4j2.properties" >"$work/node-log4j2.properties"
}

java_command=${JAVA_HOME:+$JAVA_HOME/bin/}java
java_small=(-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1)

kafka_class() {
    local version=$1
    shift
    nice "$java_command" "${java_small[@]}" -Dlog4j2.configurationFile="$work/tools-log4j2.properties" \
        -cp "$work/jars-$version/*" "$@"
}

kafka_format() {
    local version=$1 port controller
    shift
    kafka_jars "$version"
    port=$(free_port)
    controller=$(free_port)
    BOOTSTRAP=127.0.0.1:$port
    rm -rf "$work/data"
    cat >"$work/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=127.0.0.1:$controller
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$work/data
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
PROPERTIES
    if [ "$#" -gt 0 ]; then printf '%s\n' "$@" >>"$work/server.properties"; fi
    kafka_class "$version" kafka.tools.StorageTool format -t AAAAAAAAQACAAAAAAAAAAQ -c "$work/server.properties" \
        --standalone >"$work/format.log" 2>&1 || broken "format: $(tail -3 "$work/format.log")"
}

# The node's start-up log goes to $work/node.log.
kafka_start() {
    nice "$java_command" "${java_small[@]}" \
        -Dlog4j2.configurationFile="$work/node-log4j2.properties" \
        -cp "$work/jars-$1/*" kafka.Kafka "$work/server.properties" >"$work/node.log" 2>&1 &
    node_pid=$!
    for _ in $(seq 450); do
        grep -q 'Kafka Server started' "$work/node.log" && return
        kill -0 "$node_pid" 2>/dev/null || broken "the node ended: $(tail -5 "$work/node.log")"
        sleep 0.2
    done
    broken "the node is not ready after 90 s"
}

kafka_node() {
    kafka_format "$KAFKA" "$@"
    kafka_start "$KAFKA"
}

tool() {
    local name=$1 class
    shift
    case $name in
    topics) class=TopicCommand ;;
    groups) class=GroupsCommand ;;
    configs) class=ConfigCommand ;;
    get-offsets) class=GetOffsetShell ;;
    delete-records) class=DeleteRecordsCommand ;;
    transactions) class=TransactionsCommand ;;
    producer) class=ConsoleProducer ;;
    consumer) class=consumer.ConsoleConsumer ;;
    share-consumer) class=consumer.ConsoleShareConsumer ;;
    consumer-groups) class=consumer.group.ConsumerGroupCommand ;;
    share-groups) class=consumer.group.ShareGroupCommand ;;
    *) broken "unknown tool $name" ;;
    esac
    kafka_class "$KAFKA" "org.apache.kafka.tools.$class" --bootstrap-server "$BOOTSTRAP" "$@"
}

# python_packages NAME==VERSION…: a virtual environment; its interpreter is $PYTHON.
python_packages() {
    python3 -m venv "$work/venv" || broken "python3 -m venv"
    PYTHON=$work/venv/bin/python
    "$PYTHON" -m pip install -q --no-cache-dir "$@" >"$work/pip.log" 2>&1 || broken "pip: $(tail -3 "$work/pip.log")"
}

# node_packages NAME@VERSION…: into $work/node, where a script can import them.
node_packages() {
    mkdir -p "$work/node"
    (cd "$work/node" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund "$@" >npm.log 2>&1) ||
        broken "npm: $(tail -3 "$work/node/npm.log")"
}
