package dev.hawser.gateway;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.deploy.embedded.LocalPort;
import io.fabric8.kubernetes.client.server.mock.KubernetesCrudDispatcher;
import io.fabric8.mockwebserver.MockWebServer;
import io.fabric8.mockwebserver.http.Dispatcher;
import io.fabric8.mockwebserver.http.MockResponse;
import io.fabric8.mockwebserver.http.RecordedRequest;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.logging.Level;
import java.util.logging.Logger;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Nodes as deploy/kubernetes runs them: processes with the environment of its StatefulSet, each
 * with an address of its own and all with the same ports, and a Kubernetes API that tells of them.
 */
@Tag("alone")
class KubernetesFormationTest {

  private static final Duration PATIENCE = Duration.ofMinutes(2);
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private Path temporary;

  @Test
  void podsFormOneClusterAndTheLeaseDecidesWhoGoesOn() throws Exception {
    try (Parts parts = Parts.start();
        var api = new KubernetesApi(temporary);
        var pods = new Pods(parts, api)) {
      // Neither is a node: one is of another application, the other has no address yet.
      api.addPod("postgresql-0", "postgresql", "Running", "127.0.1.9", pods.managementPort);
      api.addPod("hawser-3", "hawser", "Pending", "127.0.1.4", pods.managementPort);

      Pod first = pods.start("hawser-0", "127.0.1.1");
      await().atMost(PATIENCE).until(() -> api.requests("GET pods") >= 10);
      assertThat(first.members()).as("a node that is alone waits for another").isEmpty();

      Pod second = pods.start("hawser-1", "127.0.1.2");
      Pod third = pods.start("hawser-2", "127.0.1.3");
      for (Pod pod : List.of(first, second, third)) {
        await()
            .atMost(PATIENCE)
            .untilAsserted(
                () ->
                    assertThat(pod.members())
                        .containsExactlyInAnyOrder("127.0.1.1", "127.0.1.2", "127.0.1.3"));
        await().atMost(PATIENCE).until(pod::isReady);
      }
      assertThat(api.leaseOwner()).as("nobody has lost sight of anybody").isEmpty();

      // The one that is left is not the majority; it goes on because it gets the lease.
      second.kill();
      third.kill();
      await()
          .atMost(PATIENCE)
          .untilAsserted(() -> assertThat(first.members()).containsExactly("127.0.1.1"));
      assertThat(api.leaseOwner()).contains("127.0.1.1");
      await().atMost(PATIENCE).until(first::isReady);

      assertThat(api.requests.keySet())
          .as("what deploy/kubernetes/base/access.yaml allows")
          .containsExactlyInAnyOrder("GET pods", "GET leases", "POST leases", "PUT leases");
    }
  }

  /** The part of the Kubernetes API that nodes ask, over TLS, for those that have the token. */
  private static final class KubernetesApi extends Dispatcher implements AutoCloseable {

    private static final String NAMESPACE = "hawser-test";
    private static final String TOKEN = "the-token-of-the-service-account";
    private static final String PODS = "/api/v1/namespaces/" + NAMESPACE + "/pods";
    private static final String LEASES =
        "/apis/pekko.apache.org/v1/namespaces/" + NAMESPACE + "/leases";

    /** Held here, or its level would be forgotten: it logs every request. */
    private static final Logger NOISE = Logger.getLogger(MockWebServer.class.getName());

    private static final Pattern RESOURCE =
        Pattern.compile("(?:%s|%s)(?:[/?].*)?".formatted(PODS, LEASES));

    final Map<String, Integer> requests = new ConcurrentHashMap<>();
    private final KubernetesCrudDispatcher objects = new KubernetesCrudDispatcher();
    private final MockWebServer server = new MockWebServer();

    /** What a pod has in /var/run/secrets/kubernetes.io/serviceaccount. */
    final Path account;

    KubernetesApi(Path temporary) throws IOException {
      NOISE.setLevel(Level.WARNING);
      server.useHttps();
      server.setDispatcher(this);
      server.start();
      account = Files.createDirectories(temporary.resolve("serviceaccount"));
      Files.copy(
          Path.of(server.getSelfSignedCertificate().certificatePath()), account.resolve("ca.crt"));
      Files.writeString(account.resolve("token"), TOKEN);
      Files.writeString(account.resolve("namespace"), NAMESPACE);
    }

    int port() {
      return server.getPort();
    }

    int requests(String request) {
      return requests.getOrDefault(request, 0);
    }

    void addPod(String name, String application, String phase, String address, int managementPort) {
      var unused =
          objects.handleCreate(
              PODS,
              """
              {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                  "name": "%s",
                  "namespace": "%s",
                  "labels": {"app.kubernetes.io/name": "%s"}
                },
                "spec": {
                  "containers": [{
                    "name": "%3$s",
                    "ports": [
                      {"name": "websocket", "containerPort": 8000},
                      {"name": "management", "containerPort": %d}
                    ]
                  }]
                },
                "status": {"phase": "%s", "podIP": "%s"}
              }
              """
                  .formatted(name, NAMESPACE, application, managementPort, phase, address));
    }

    /** Who holds the lease of the split brain resolver; empty if nobody ever asked for it. */
    String leaseOwner() throws IOException {
      MockResponse lease = objects.handleGet(LEASES + "/hawser-pekko-sbr");
      return lease.code() == 404
          ? ""
          : JSON.readTree(lease.getBody().readUtf8()).at("/spec/owner").asText();
    }

    @Override
    public MockResponse dispatch(RecordedRequest request) {
      String path = request.getPath();
      Matcher resource = RESOURCE.matcher(path);
      if (!("Bearer " + TOKEN).equals(request.getHeader("Authorization"))) {
        return new MockResponse().setResponseCode(401);
      }
      String name = !resource.matches() ? path : path.startsWith(PODS) ? "pods" : "leases";
      requests.merge(request.getMethod() + " " + name, 1, Integer::sum);
      return objects.dispatch(request).setHeader("Content-Type", "application/json");
    }

    @Override
    public void close() {
      server.shutdown();
    }
  }

  /** The pods of one StatefulSet. */
  private static final class Pods implements AutoCloseable {

    final int managementPort = LocalPort.free();
    private final int clusterPort = LocalPort.free();
    private final int webSocketPort = LocalPort.free();
    private final int httpPort = LocalPort.free();
    private final Parts parts;
    private final KubernetesApi api;
    private final List<Pod> running = new ArrayList<>();

    Pods(Parts parts, KubernetesApi api) {
      this.parts = parts;
      this.api = api;
    }

    Pod start(String name, String address) throws IOException {
      List<String> command = new ArrayList<>();
      command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
      command.addAll(
          List.of(
              "-Xmx256m",
              "-XX:+UseSerialGC",
              "-XX:TieredStopAtLevel=1",
              "--enable-native-access=ALL-UNNAMED",
              "--sun-misc-unsafe-memory-access=allow"));
      for (String user :
          List.of("pekko.discovery.kubernetes-api", "pekko.coordination.lease.kubernetes")) {
        command.add("-D%s.api-ca-path=%s".formatted(user, api.account.resolve("ca.crt")));
        command.add("-D%s.api-token-path=%s".formatted(user, api.account.resolve("token")));
      }
      Path namespace = api.account.resolve("namespace");
      command.add("-Dpekko.discovery.kubernetes-api.pod-namespace-path=" + namespace);
      command.add("-Dpekko.coordination.lease.kubernetes.namespace-path=" + namespace);
      // There is no DNS for pods here.
      command.add("-Dpekko.discovery.kubernetes-api.use-raw-ip=on");
      command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
      Path log = Files.createDirectories(Path.of("target", "kubernetes")).resolve(name + ".log");
      var builder =
          new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile());
      builder
          .environment()
          .putAll(
              Map.ofEntries(
                  Map.entry("KUBERNETES_SERVICE_HOST", "127.0.0.1"),
                  Map.entry("KUBERNETES_SERVICE_PORT", String.valueOf(api.port())),
                  Map.entry("POD_NAME", name),
                  Map.entry("HAWSER_CLUSTER_FORMATION", "kubernetes"),
                  Map.entry("HAWSER_CLUSTER_REQUIRED_CONTACT_POINTS", "2"),
                  Map.entry("HAWSER_CLUSTER_DOWNING", "lease-majority"),
                  Map.entry("HAWSER_CLUSTER_HOST", address),
                  Map.entry("HAWSER_CLUSTER_PORT", String.valueOf(clusterPort)),
                  Map.entry("HAWSER_MANAGEMENT_HOST", address),
                  Map.entry("HAWSER_MANAGEMENT_PORT", String.valueOf(managementPort)),
                  Map.entry("HAWSER_WEBSOCKET_HOST", address),
                  Map.entry("HAWSER_WEBSOCKET_PORT", String.valueOf(webSocketPort)),
                  Map.entry("HAWSER_HTTP_HOST", address),
                  Map.entry("HAWSER_HTTP_PORT", String.valueOf(httpPort)),
                  Map.entry("HAWSER_AUTH_HMAC_SECRET", Node.SECRET),
                  Map.entry("HAWSER_API_KEY", Node.API_KEY),
                  Map.entry("HAWSER_KAFKA_BOOTSTRAP_SERVERS", parts.kafka.bootstrapServers()),
                  Map.entry("HAWSER_PRESENCE_DATABASE_HOST", "127.0.0.1"),
                  Map.entry(
                      "HAWSER_PRESENCE_DATABASE_PORT", String.valueOf(parts.postgreSql.port())),
                  Map.entry("HAWSER_PRESENCE_DATABASE_NAME", Parts.DATABASE),
                  Map.entry("HAWSER_PRESENCE_DATABASE_USER", "postgres")));
      var pod = new Pod(builder.start(), "http://%s:%d".formatted(address, managementPort));
      running.add(pod);
      api.addPod(name, "hawser", "Running", address, managementPort);
      return pod;
    }

    @Override
    public void close() {
      running.forEach(Pod::kill);
    }
  }

  /** A node in a process of its own. */
  private record Pod(Process process, String management) {

    private static final HttpClient HTTP = HttpClient.newHttpClient();

    /** The addresses of the members that are up, as the node sees it; empty before it listens. */
    List<String> members() throws InterruptedException {
      try {
        JsonNode members = JSON.readTree(get("/cluster/members").body()).path("members");
        return members
            .valueStream()
            .filter(member -> member.path("status").asText().equals("Up"))
            .map(member -> URI.create(member.path("node").asText()).getHost())
            .toList();
      } catch (IOException absent) {
        return List.of();
      }
    }

    boolean isReady() throws InterruptedException {
      try {
        return get("/ready").statusCode() == 200;
      } catch (IOException absent) {
        return false;
      }
    }

    private HttpResponse<String> get(String path) throws IOException, InterruptedException {
      return HTTP.send(
          HttpRequest.newBuilder(URI.create(management + path)).build(),
          HttpResponse.BodyHandlers.ofString());
    }

    /** As a machine that dies does: nobody is told. */
    void kill() {
      process.destroyForcibly().onExit().join();
    }
  }
}
