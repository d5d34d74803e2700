import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.Proxy;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

import kafka.server.KafkaConfig;
import kafka.server.KafkaRaftServer;

import org.apache.kafka.common.utils.Time;
import org.apache.logging.log4j.ThreadContext;

/**
 * Kafka servers that share a JVM. It reads one command in each line of a named pipe: {@code start FOLDER} starts a server with
 * FOLDER/server.properties, and then makes the file FOLDER/ready, or else FOLDER/failed, which says why. {@code stop FOLDER}
 * stops the server and removes the folder.
 */
public class Servers {
    private static final Map<Path, KafkaRaftServer> RUNNING = new ConcurrentHashMap<>();

    public static void main(String[] arguments) throws IOException {
        stayAlive();
        try (BufferedReader commands = Files.newBufferedReader(Path.of(arguments[0]))) {
            for (String line = commands.readLine(); line != null; line = commands.readLine()) {
                String[] words = line.split(" ", 2);
                Path folder = Path.of(words[1]);
                Runnable command = words[0].equals("start") ? () -> start(folder) : () -> stop(folder);
                new Thread(() -> run(command, folder)).start();
            }
        }
    }

    /** Keeps a server that cannot go on from ending the JVM, and with it all others. */
    private static void stayAlive() {
        InvocationHandler refuse = (proxy, method, statusAndMessage) -> {
            throw new IllegalStateException("this server cannot go on: " + statusAndMessage[1]);
        };
        // Its place up to Kafka 4.3, and since then.
        for (String name : List.of("org.apache.kafka.common.utils.Exit", "org.apache.kafka.common.utils.internals.Exit")) {
            try {
                Class<?> exit = Class.forName(name);
                Class<?> procedure = Class.forName(name + "$Procedure");
                Object refusing = Proxy.newProxyInstance(exit.getClassLoader(), new Class<?>[] {procedure}, refuse);
                exit.getMethod("setExitProcedure", procedure).invoke(null, refusing);
                exit.getMethod("setHaltProcedure", procedure).invoke(null, refusing);
            } catch (ReflectiveOperationException error) {
                // This version of Kafka has it at the other place.
            }
        }
    }

    private static void run(Runnable command, Path folder) {
        // The threads of a server inherit this, so the log knows whose entry it gets.
        ThreadContext.put("folder", folder.toString());
        command.run();
    }

    private static void start(Path folder) {
        try {
            Properties properties = new Properties();
            try (InputStream file = Files.newInputStream(folder.resolve("server.properties"))) {
                properties.load(file);
            }
            KafkaRaftServer server = new KafkaRaftServer(KafkaConfig.fromProps(properties, false), Time.SYSTEM);
            RUNNING.put(folder, server);
            server.startup();
            say(folder, "ready", "");
        } catch (Throwable error) {
            say(folder, "failed", error.toString());
        }
    }

    private static void stop(Path folder) {
        KafkaRaftServer server = RUNNING.remove(folder);
        if (server != null) {
            server.shutdown();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException error) {
            // Whoever started this JVM removes everything in the end.
            System.out.println(folder + " was not removed: " + error);
        }
    }

    /** Makes a file with this text. Nobody sees it half written. */
    private static void say(Path folder, String name, String text) {
        try {
            Path unfinished = Files.writeString(folder.resolve(name + ".new"), text);
            Files.move(unfinished, folder.resolve(name));
        } catch (IOException error) {
            System.out.println(folder + ": " + error);
        }
    }
}
