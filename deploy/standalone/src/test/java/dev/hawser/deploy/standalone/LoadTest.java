package dev.hawser.deploy.standalone;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/** The scenarios of {@code hawser load}, small and short, against nodes of {@code hawser dev}. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LoadTest {

  private static final int USERS = 50;

  @TempDir private Path temporary = Path.of("");
  private HawserProcess dev;
  private Ports ports = Ports.movedBy(0);

  @BeforeAll
  void startCluster() throws Exception {
    ports = HawserTest.freePorts(2);
    dev = new HawserProcess(temporary, "dev", "--nodes=2", "--port-offset=" + ports.offset());
    dev.awaitOutput("Try in a second terminal");
  }

  @AfterAll
  void stopCluster() throws Exception {
    dev.terminate();
    dev.awaitExit();
  }

  /** Starts a scenario; several run at once, with users of their own. */
  private HawserProcess start(String scenario, String... more) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("load", scenario));
    arguments.add("--users=" + USERS);
    arguments.add("--connect-rate=200");
    arguments.add("--user-prefix=" + scenario + "-");
    arguments.add(
        "--url=ws://127.0.0.1:%d/connection/websocket,ws://127.0.0.1:%d/connection/websocket"
            .formatted(ports.webSocket(1), ports.webSocket(2)));
    arguments.add("--kafka=127.0.0.1:" + ports.kafka());
    arguments.add("--output=" + temporary.resolve(scenario));
    arguments.addAll(List.of(more));
    return new HawserProcess(temporary, arguments.toArray(String[]::new));
  }

  private JsonNode result(String scenario, HawserProcess load) throws Exception {
    assertThat(load.awaitExit()).as(load.output()).isZero();
    Path directory = temporary.resolve(scenario);
    assertThat(directory.resolve("report.html")).isNotEmptyFile();
    JsonNode result = new ObjectMapper().readTree(directory.resolve("result.json").toFile());
    assertThat(figure(result, "connected")).isEqualTo(USERS);
    return result;
  }

  private static double figure(JsonNode result, String name) {
    JsonNode figure = result.get("figures").get(name);
    assertThat(figure).as("%s in %s", name, result).isNotNull();
    return figure.asDouble();
  }

  /**
   * Kinds, without refusals: nodes of a machine that has too much to do let nobody in for a while.
   */
  private static List<String> errors(JsonNode result) {
    return result
        .get("errors")
        .propertyStream()
        .map(Map.Entry::getKey)
        .filter(kind -> !kind.equals("http-503"))
        .toList();
  }

  private long pid(int node) {
    var process = Pattern.compile("node-%d +process (\\d+)".formatted(node)).matcher(dev.output());
    assertThat(process.find()).isTrue();
    return Long.parseLong(process.group(1));
  }

  private String pids() {
    return pid(1) + "," + pid(2);
  }

  @Test
  @Order(1)
  void whatIsSentArrivesAndIsMeasured() throws Exception {
    try (var idle = start("idle", "--duration=2s", "--pids=" + pid(1));
        var push = start("push", "--duration=3s", "--rate=100", "--workers=2", "--pids=" + pids());
        var churn = start("churn", "--duration=3s", "--rate=20");
        var upstream = start("upstream", "--duration=3s", "--rate=50");
        var chat = start("chat", "--duration=3s", "--rate=50")) {
      JsonNode held = result("idle", idle);
      assertThat(figure(held, "node-1 resident after, collected, MiB")).isPositive();
      assertThat(errors(held)).isEmpty();

      JsonNode pushed = result("push", push);
      assertThat(figure(pushed, "delivered")).isGreaterThan(200);
      assertThat(figure(pushed, "missing")).isZero();
      assertThat(figure(pushed, "delivered twice")).isZero();
      assertThat(figure(pushed, "delivery p99, ms")).isPositive();
      assertThat(figure(pushed, "all nodes resident held, MiB")).isPositive();
      assertThat(pushed.get("figures").has("all nodes resident per connection, bytes")).isTrue();

      JsonNode churned = result("churn", churn);
      assertThat(figure(churned, "replaced/s")).isBetween(10.0, 25.0);
      assertThat(figure(churned, "connect while churning p99, ms")).isPositive();
      assertThat(errors(churned)).isEmpty();

      JsonNode published = result("upstream", upstream);
      double sent = figure(published, "sent by clients");
      assertThat(sent).isGreaterThan(100);
      assertThat(figure(published, "acknowledged")).isEqualTo(sent);
      assertThat(figure(published, "read from Kafka")).isEqualTo(sent);

      JsonNode chatted = result("chat", chat);
      assertThat(figure(chatted, "delivered")).isEqualTo(figure(chatted, "sent by clients"));
      assertThat(figure(chatted, "delivery p99, ms")).isPositive();
    }
  }

  /** By themselves: a broadcast reaches the clients of other runs, too. */
  @Test
  @Order(2)
  void broadcastsReachEveryone() throws Exception {
    try (var broadcast = start("broadcast-ack", "--duration=3s", "--every=0.5s")) {
      JsonNode result = result("broadcast-ack", broadcast);
      assertThat(figure(result, "delivered")).isGreaterThanOrEqualTo(3.0 * USERS);
      assertThat(figure(result, "missing")).isZero();
      assertThat(figure(result, "read from Kafka")).isEqualTo(figure(result, "delivered"));
    }
    try (var broadcast = start("broadcast", "--duration=1s", "--every=0.5s")) {
      JsonNode result = result("broadcast", broadcast);
      assertThat(figure(result, "missing")).isZero();
      assertThat(figure(result, "delivery p99, ms")).isPositive();
    }
  }

  @Test
  @Order(3)
  void everyoneIsBackAfterTheEndOfANode() throws Exception {
    try (var storm = start("storm", "--duration=8s", "--rate=20", "--pids=" + pids())) {
      JsonNode result = result("storm", storm);
      assertThat(figure(result, "lost connections")).isGreaterThanOrEqualTo(USERS / 2.0);
      assertThat(figure(result, "back")).isEqualTo(figure(result, "lost connections"));
      assertThat(figure(result, "connected at the end")).isEqualTo(USERS);
      assertThat(figure(result, "missing")).isZero();
      assertThat(figure(result, "delivered twice")).isZero();
      assertThat(figure(result, "refused (http-503)")).isZero();
      assertThat(figure(result, "p99 calm, ms")).isPositive();
      assertThat(figure(result, "delivered/s calm")).isPositive();
      assertThat(figure(result, "connected in the storm, %")).isBetween(1.0, 99.0);
    }
  }

  @Test
  void endsEarlyWithWhatItHasFound() throws Exception {
    try (var load = start("idle", "--duration=10m")) {
      load.awaitOutput("measuring");
      load.interrupt();
      assertThat(load.awaitExit()).as(load.output()).isEqualTo(HawserTest.INTERRUPTED);
      assertThat(load.output()).contains("interrupted").endsWith("report.html");
      assertThat(temporary.resolve("idle").resolve("result.json")).isNotEmptyFile();
    }
  }

  @Test
  void saysWhatIsWrongWithItsOptions() throws Exception {
    try (var load =
        new HawserProcess(temporary, "load", "push", "--users=5", "--url=ws://127.0.0.1:1/")) {
      assertThat(load.awaitExit()).isEqualTo(1);
      assertThat(load.output())
          .endsWith("--kafka is missing, expected host:port: push needs it beside --url");
    }
  }
}
