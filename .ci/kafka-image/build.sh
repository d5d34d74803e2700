#!/bin/bash
# Builds a local image under the name of the official image, for machines that cannot reach a registry. It contains
# Kafka's own jars, a reduced Java, and busybox. It turns KAFKA_* variables into a configuration, as the official image
# does. `timeout` and the paths under /opt/kafka and /etc/kafka/docker are the same as in the official image.
# usage: build.sh FOLDER_WITH_JARS IMAGE
set -euo pipefail
jars=$1
image=$2
here=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

mkdir -p "$root"/{bin,usr/bin,etc,tmp,root,opt/kafka/{bin,libs,config,logs},etc/kafka/{docker,secrets},mnt/shared/config}
chmod 755 "$root"
chmod 1777 "$root/tmp"

jlink --add-modules java.base,java.logging,java.management,java.naming,java.rmi,java.xml,java.scripting,java.sql,java.compiler,java.desktop,java.security.jgss,java.security.sasl,jdk.management,jdk.unsupported,jdk.crypto.ec,jdk.zipfs \
    --strip-debug --no-header-files --no-man-pages --output "$root/opt/java"

# The shared libraries that Java and bash need, at the paths where the loader looks for them.
{ find "$root/opt/java" -type f \( -name '*.so' -o -name java \); echo /bin/bash; } |
    xargs -r ldd 2>/dev/null | grep -oE '/[^ )]+\.so[^ )]*' | grep -v "^$root" | grep -v : | sort -u |
    while read -r library; do
        if [ -e "$library" ]; then cp -L --parents "$library" "$root/"; fi
    done
cp /bin/busybox "$root/bin/busybox"
for applet in $(/bin/busybox --list); do
    [ "$applet" = busybox ] || ln -sf busybox "$root/bin/$applet"
done
rm "$root/bin/bash" 2>/dev/null || true
cp /bin/bash "$root/bin/bash"
ln -sf ../../bin/env "$root/usr/bin/env"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
echo 'root:x:0:' >"$root/etc/group"
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"

cp "$jars"/*.jar "$root/opt/kafka/libs/"
cp "$here"/docker/* "$root/etc/kafka/docker/"
cp "$here"/docker/{server.properties,log4j2.yaml,tools-log4j2.yaml} "$root/opt/kafka/config/"
cp "$here"/kafka-run-class.sh "$root/opt/kafka/bin/"
while read -r tool class; do
    printf '#!/bin/sh\nexec /opt/kafka/bin/kafka-run-class.sh %s "$@"\n' "$class" >"$root/opt/kafka/bin/$tool.sh"
done <<'TOOLS'
kafka-topics org.apache.kafka.tools.TopicCommand
kafka-console-producer org.apache.kafka.tools.ConsoleProducer
kafka-console-consumer org.apache.kafka.tools.consumer.ConsoleConsumer
kafka-consumer-groups org.apache.kafka.tools.consumer.group.ConsumerGroupCommand
kafka-configs org.apache.kafka.tools.ConfigCommand
kafka-get-offsets org.apache.kafka.tools.GetOffsetShell
TOOLS
chmod 755 "$root"/opt/kafka/bin/*.sh "$root"/etc/kafka/docker/run

tar -C "$root" --numeric-owner --owner=0 --group=0 -c . |
    docker import -c 'ENV PATH=/opt/java/bin:/usr/bin:/bin' -c 'EXPOSE 9092' \
        -c 'CMD ["/etc/kafka/docker/run"]' - "$image"
