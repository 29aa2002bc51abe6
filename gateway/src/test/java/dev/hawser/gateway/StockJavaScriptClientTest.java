package dev.hawser.gateway;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.nimbusds.jose.util.JSONObjectUtils;
import dev.hawser.gateway.Node.Door;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** npm's centrifuge, over JSON and through both doors; skipped where there is no Node. */
class StockJavaScriptClientTest {

  private static final int USERS = 100;
  private static final int TABS = 2;
  private static final int EVENTS = 10_000;
  private static final Path SOURCES = Path.of("src/test/node");
  private static final Path WORK = Path.of("target/node");

  private static Parts parts;
  private static TestNode node;

  @BeforeAll
  static void start() throws Exception {
    assumeTrue(onPath("node") && onPath("npm"), "node and npm are not on the PATH");
    install();
    parts = Parts.start();
    node = TestNode.ready(parts);
  }

  @AfterAll
  static void stop() throws Exception {
    if (node != null) {
      node.close();
      parts.close();
    }
  }

  private static boolean onPath(String command) {
    return Stream.of(System.getenv("PATH").split(File.pathSeparator))
        .anyMatch(directory -> Files.isExecutable(Path.of(directory, command)));
  }

  private static void install() throws IOException, InterruptedException {
    Files.createDirectories(WORK);
    for (String file : List.of("package.json", "package-lock.json", "publish.mjs", "watch.mjs")) {
      Files.copy(
          SOURCES.resolve(file),
          WORK.resolve(file),
          java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    }
    Path log = WORK.resolve("npm.log");
    Process npm =
        new ProcessBuilder("npm", "ci", "--no-audit", "--no-fund")
            .directory(WORK.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    assertThat(npm.waitFor(5, TimeUnit.MINUTES)).isTrue();
    assertThat(npm.exitValue()).as(Files.readString(log)).isZero();
  }

  @ParameterizedTest
  @EnumSource
  void twoTabsOfEachUserGetAllEventsInOrderAndOnce(Door door) throws Exception {
    Process script =
        new ProcessBuilder("node", "watch.mjs")
            .directory(WORK.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try {
      Map<String, List<String>> received = new ConcurrentHashMap<>();
      var reader = Thread.ofVirtual().start(() -> read(script, received));
      var tokens = new HashMap<String, Object>();
      for (int i = 0; i < USERS; i++) {
        tokens.put(user(door, i), Node.token(user(door, i)));
      }
      var writer = script.outputWriter(UTF_8);
      writer.write(
          JSONObjectUtils.toJSONString(
              Map.of("url", node.url(door), "tabs", TABS, "tokens", tokens)));
      writer.newLine();
      writer.flush();
      await().atMost(Duration.ofMinutes(2)).until(() -> received.size() == USERS * TABS);
      List<String> expected = parts.pushNumbered(List.copyOf(tokens.keySet()), EVENTS / USERS);
      await()
          .atMost(Duration.ofMinutes(2))
          .until(() -> received.values().stream().allMatch(tab -> tab.size() >= expected.size()));
      writer.close();
      reader.join(Duration.ofSeconds(20));
      assertThat(received.values()).allSatisfy(tab -> assertThat(tab).isEqualTo(expected));
      assertThat(script.waitFor(20, TimeUnit.SECONDS)).isTrue();
      assertThat(script.exitValue()).isZero();
    } finally {
      script.destroy();
    }
  }

  @Test
  void aBackEndPublishesWithAStockLibrary() throws Exception {
    Process script =
        new ProcessBuilder("node", "publish.mjs")
            .directory(WORK.toFile())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    try (Tab tab = Tab.open(node.url(Door.NETTY), Node.token("customer"))) {
      tab.awaitConnected();
      var writer = script.outputWriter(UTF_8);
      writer.write(
          JSONObjectUtils.toJSONString(
              Map.of(
                  "url",
                  "http://127.0.0.1:%d/api".formatted(node.httpPort),
                  "key",
                  Node.API_KEY,
                  "user",
                  "customer")));
      writer.newLine();
      writer.flush();
      var reader = script.inputReader(UTF_8);
      JsonNode calls = new ObjectMapper().readTree(reader.readLine());
      await().atMost(Duration.ofMinutes(2)).until(() -> tab.received.size() == 3);
      assertThat(tab.received).containsExactly("{\"n\":1}", "{\"n\":2}", "{\"n\":3}");
      assertThat(tab.tags.getFirst()).containsEntry("lang", "en");
      assertThat(tab.offsets)
          .containsExactly(
              calls.at("/published/offset").asLong(),
              calls.at("/broadcast/responses/0/result/offset").asLong(),
              calls.at("/pipelined/0/offset").asLong());
      assertThat(calls.at("/broadcast/responses/1/error/code").asInt()).isEqualTo(102);
      assertThat(calls.at("/pipelined/1/nodes")).hasSize(1);
      assertThat(calls.at("/info/nodes/0/num_clients").asInt()).isEqualTo(1);
      assertThat(calls.path("history").asText()).isEqualTo("refused");
      writer.newLine();
      writer.flush();
      assertThat(reader.readLine()).isEqualTo("{}");
      assertThat(tab.disconnected.get(20, TimeUnit.SECONDS)).isEqualTo(3503);
    } finally {
      script.destroy();
    }
  }

  /** Gathers by tab, {@code user tab}, what the script prints. */
  private static void read(Process script, Map<String, List<String>> received) {
    new BufferedReader(new InputStreamReader(script.getInputStream(), UTF_8))
        .lines()
        .forEach(
            line -> {
              String[] words = line.split(" ", 4);
              var tab =
                  received.computeIfAbsent(
                      words[1] + " " + words[2],
                      key -> java.util.Collections.synchronizedList(new ArrayList<>()));
              if (words[0].equals("publication")) {
                tab.add(words[3]);
              }
            });
  }

  private static String user(Door door, int number) {
    return "%s-%d".formatted(door, number);
  }
}
