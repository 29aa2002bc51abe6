package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jwt.SignedJWT;
import com.typesafe.config.ConfigRenderOptions;
import dev.hawser.deploy.embedded.EmbeddedPostgreSql;
import dev.hawser.deploy.embedded.LocalPort;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a newcomer types, in processes of their own. */
class HawserTest {

  static final int INTERRUPTED = 130;
  static final int TERMINATED = 143;

  private static final int CLAIMS = 20_000;

  /** With this, no port is one that the kernel gives to connections that go out. */
  private static final int FIRST_HUNDRED = 67;

  private static final List<ServerSocket> claimed = new ArrayList<>();

  @TempDir private Path temporary = Path.of("");

  private HawserProcess hawser(String... arguments) throws Exception {
    return new HawserProcess(temporary, arguments);
  }

  /**
   * Ports of a dev that nobody else runs or is about to run: offsets that differ by hundreds share
   * no port, and each is claimed by a socket until this process ends.
   */
  static Ports freePorts(int nodes) throws IOException {
    while (true) {
      int hundreds = ThreadLocalRandom.current().nextInt(FIRST_HUNDRED, 100);
      var claim = new ServerSocket();
      try {
        claim.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), CLAIMS + hundreds));
      } catch (BindException taken) {
        claim.close();
        continue;
      }
      claimed.add(claim);
      var ports = Ports.movedBy(100 * hundreds);
      if (ports.purposes(nodes).keySet().stream().noneMatch(LocalPort::isTaken)) {
        return ports;
      }
    }
  }

  static String get(int port, String path) throws Exception {
    var request =
        HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d%s".formatted(port, path)))
            .header("X-API-Key", "dev")
            .build();
    try (var client = HttpClient.newHttpClient()) {
      return client.send(request, HttpResponse.BodyHandlers.ofString()).body();
    }
  }

  /** Temporary data, and processes that know of them. */
  static List<String> leftBehind(Path temporary) throws Exception {
    try (Stream<Path> files = Files.list(temporary)) {
      return Stream.concat(processesOf(temporary).stream(), files).map(Object::toString).toList();
    }
  }

  static List<ProcessHandle> processesOf(Path temporary) {
    return ProcessHandle.allProcesses()
        .filter(process -> process.info().commandLine().orElse("").contains(temporary.toString()))
        .toList();
  }

  @Test
  void theTourOfTheReadme() throws Exception {
    Ports ports = freePorts(1);
    String offset = "--port-offset=" + ports.offset();
    try (var dev = hawser("dev", offset)) {
      dev.awaitOutput("Ready after");
      try (var watch = hawser("watch", offset, "--user=alice", "--count=3", "--tags");
          var tail = hawser("tail", offset, "events")) {
        watch.awaitOutput("connected as client");
        tail.awaitOutput("reading hawser.events");
        try (var push =
            hawser("push", offset, "--user=alice", "--event=greeted", "{\"text\":\"hello\"}")) {
          assertThat(push.awaitExit()).as(push.output()).isZero();
          assertThat(push.output()).contains("pushed 1 event");
        }
        tail.awaitOutput("X-Uid=alice X-Event=greeted\t{\"text\":\"hello\"}");
        await()
            .atMost(Duration.ofMinutes(2))
            .untilAsserted(
                () ->
                    assertThat(get(ports.http(1), "/api/presence/alice"))
                        .contains("\"online\":true"));
        try (var push = hawser("push", offset, "-")) {
          push.input("alice\t{\"n\":1}\nno tab here\n\t{}\nbob\t{\"n\":2}\nalice\t{\"n\":3}\n");
          assertThat(push.awaitExit()).as(push.output()).isEqualTo(1);
          assertThat(push.output())
              .contains(
                  "line 2 skipped: expected user<TAB>payload",
                  "line 3 skipped",
                  "pushed 3 events",
                  "skipped 2 malformed line(s)");
        }
        assertThat(watch.awaitExit()).as(watch.output()).isZero();
        assertThat(watch.output())
            .containsPattern(
                "\\{\"text\":\"hello\"}\tevent=greeted\tid=\\S+\n"
                    + "\\{\"n\":1}\tid=\\S+\n\\{\"n\":3}\tid=\\S+");
      }
      dev.interrupt();
      assertThat(dev.awaitExit()).isEqualTo(INTERRUPTED);
      assertThat(dev.output())
          .contains("Stopping.")
          .endsWith("Stopped.")
          .doesNotContain("ERROR", "Exception", "while stopping");
      assertThat(dev.warnings()).isEmpty();
    }
    assertThat(ports.purposes(1).keySet()).noneMatch(LocalPort::isTaken);
    assertThat(leftBehind(temporary)).isEmpty();
  }

  @Test
  void dataAreKeptEvenWhenTheRunWasKilled() throws Exception {
    Ports ports = freePorts(1);
    Path data = temporary.resolve("data");
    String[] command = {"dev", "--port-offset=" + ports.offset(), "--data-dir=" + data};
    try (var dev = hawser(command)) {
      dev.awaitOutput("Ready after");
      try (var second = hawser(command)) {
        assertThat(second.awaitExit()).isEqualTo(1);
        assertThat(second.output()).contains(data + " is in use by another hawser dev");
      }
      try (var watch = hawser("watch", command[1], "--user", "alice")) {
        watch.awaitOutput("connected as client");
        await()
            .atMost(Duration.ofMinutes(2))
            .until(() -> get(ports.http(1), "/api/presence/alice").contains("\"online\":true"));
      }
      dev.process.destroyForcibly();
    }
    try (var again = hawser(command)) {
      again.awaitOutput("Ready after");
      assertThat(again.output()).contains("of a run that was killed");
      assertThat(get(ports.http(1), "/api/presence/alice"))
          .contains("\"online\":false", "\"lastSeen\":");
      again.terminate();
      assertThat(again.awaitExit()).isEqualTo(TERMINATED);
      assertThat(again.output()).endsWith("Stopped.").doesNotContain("Exception");
      // The one that was killed may still be taken for alive when this one starts.
      assertThat(again.warnings()).allMatch(line -> line.contains("did not renew their leases"));
    }
    assertThat(ports.purposes(1).keySet()).noneMatch(LocalPort::isTaken);
  }

  @Test
  void whatAKilledRunLeftBehindGoesWithTheNextAndCtrlCWhileStartingLeavesNothing()
      throws Exception {
    Ports ports = freePorts(1);
    try (var killed = hawser("dev", "--port-offset=" + ports.offset())) {
      killed.awaitOutput("PostgreSQL  up");
      killed.process.destroyForcibly();
      killed.awaitExit();
    }
    assertThat(LocalPort.isTaken(ports.postgreSql())).isTrue();
    assertThat(leftBehind(temporary)).isNotEmpty();
    try (var dev = hawser("dev", "--port-offset=" + ports.offset())) {
      dev.awaitOutput("Starting PostgreSQL");
      Thread.sleep(ThreadLocalRandom.current().nextInt(1_500));
      dev.interrupt();
      assertThat(dev.awaitExit()).isEqualTo(INTERRUPTED);
      assertThat(dev.output())
          .contains("Stopping.")
          .endsWith("Stopped.")
          .doesNotContain("ERROR", "Exception", "while stopping");
      assertThat(dev.warnings()).isEmpty();
    }
    assertThat(ports.purposes(1).keySet()).noneMatch(LocalPort::isTaken);
    // A killed run cannot take its library's own temporary file along.
    assertThat(leftBehind(temporary)).noneMatch(left -> left.contains("hawser-dev-"));
  }

  @Test
  void presenceRunsAloneWithPostgreSqlOnly() throws Exception {
    Ports ports = freePorts(1);
    try (var postgreSql = EmbeddedPostgreSql.start(ports.postgreSql(), temporary)) {
      postgreSql.createDatabase(Development.DATABASE);
      Path settings =
          Files.writeString(
              temporary.resolve("presence.conf"),
              Development.settings(ports, 1, 1).root().render(ConfigRenderOptions.concise()));
      try (var presence = hawser("presence", "--config=" + settings)) {
        presence.awaitOutput("INFO  ready");
        assertThat(get(ports.http(1), "/api/presence/alice")).contains("\"online\":false");
        assertThat(LocalPort.isTaken(ports.webSocket(1))).isFalse();
        presence.terminate();
        assertThat(presence.awaitExit()).isEqualTo(TERMINATED);
        assertThat(presence.warnings()).isEmpty();
        assertThat(presence.output()).doesNotContain("ERROR");
      }
    }
  }

  @Test
  void aTakenPortIsNamedInOneLine() throws Exception {
    Ports ports = freePorts(1);
    try (var taken = new ServerSocket()) {
      taken.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), ports.http(1)));
      try (var dev = hawser("dev", "--port-offset=" + ports.offset())) {
        assertThat(dev.awaitExit()).isEqualTo(1);
        assertThat(dev.output())
            .endsWith(
                "hawser: port %d (HTTP) is taken; free it or use --port-offset"
                    .formatted(ports.http(1)));
      }
    }
  }

  @Test
  void tokensAreSignedWithTheSecret() throws Exception {
    String secret = "another-secret-with-32-characters";
    try (var token =
        hawser("token", "--user=alice", "--user=bob", "--ttl=15m", "--secret=" + secret)) {
      assertThat(token.awaitExit()).isZero();
      List<String> lines = token.output().lines().toList();
      assertThat(lines).hasSize(2);
      var jwt = SignedJWT.parse(lines.getLast());
      assertThat(jwt.verify(new MACVerifier(secret.getBytes(UTF_8)))).isTrue();
      assertThat(jwt.getJWTClaimsSet().getSubject()).isEqualTo("bob");
      assertThat(jwt.getJWTClaimsSet().getExpirationTime().toInstant())
          .isBetween(Instant.now().plusSeconds(800), Instant.now().plusSeconds(901));
    }
  }

  @Test
  void whatIsWrongIsSaidInOneLine() throws Exception {
    try (var node = hawser("node")) {
      assertThat(node.awaitExit()).isEqualTo(1);
      assertThat(node.output()).contains("hawser.auth has no key").doesNotContain("\tat ");
    }
    Path settings =
        Files.writeString(
            temporary.resolve("node.conf"), "hawser.environment = lab\nhawser.auth.anonymous = on");
    try (var node = hawser("node", "--config=" + settings)) {
      assertThat(node.awaitExit()).isEqualTo(1);
      assertThat(node.output()).contains("hawser.environment is lab, expected production");
    }
    try (var node = hawser("node", "--config=" + temporary.resolve("absent.conf"))) {
      assertThat(node.awaitExit()).isEqualTo(1);
      assertThat(node.output()).contains("absent.conf, expected a readable file");
    }
    try (var dev = hawser("dev", "--data-dir=")) {
      assertThat(dev.awaitExit()).isEqualTo(1);
      assertThat(dev.output()).endsWith("--data-dir is empty, expected a directory");
    }
    try (var push = hawser("push", "--port-offset=9500", "--user=alice", "{}")) {
      assertThat(push.awaitExit()).isEqualTo(1);
      assertThat(push.output())
          .isEqualTo(
              "hawser: Kafka at 127.0.0.1:18592 does not answer, or has no topic hawser.events;"
                  + " is hawser dev running (with another --port-offset)?");
    }
    try (var push = hawser("push", "--user=alice", "not JSON")) {
      assertThat(push.awaitExit()).isEqualTo(2);
      assertThat(push.output()).contains("the payload is not JSON");
    }
    try (var watch = hawser("watch", "--user=alice", "--port-offset=20000")) {
      assertThat(watch.awaitExit()).isEqualTo(2);
      assertThat(watch.output()).contains("'--port-offset': 20000, expected 0 to 10000");
    }
    try (var push = hawser("push", "--user=alice", "-")) {
      assertThat(push.awaitExit()).isEqualTo(2);
    }
    try (var token = hawser("token", "--user=alice", "--ttl=soon")) {
      assertThat(token.awaitExit()).isEqualTo(2);
      assertThat(token.output()).contains("'--ttl': soon, expected a time such as 30s");
    }
  }
}
