package dev.hawser.deploy.standalone;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigResolveOptions;
import dev.hawser.deploy.standalone.doctor.Rules;
import dev.hawser.gateway.cluster.ClusterSettings;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.ContainerPort;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HTTPGetAction;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.IntOrString;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.PodTemplateSpec;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.Service;
import io.fabric8.kubernetes.api.model.ServiceAccount;
import io.fabric8.kubernetes.api.model.ServicePort;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.apps.StatefulSet;
import io.fabric8.kubernetes.api.model.autoscaling.v2.HorizontalPodAutoscaler;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.api.model.networking.v1.HTTPIngressPath;
import io.fabric8.kubernetes.api.model.networking.v1.Ingress;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicy;
import io.fabric8.kubernetes.api.model.networking.v1.NetworkPolicyPort;
import io.fabric8.kubernetes.api.model.policy.v1.PodDisruptionBudget;
import io.fabric8.kubernetes.api.model.rbac.PolicyRule;
import io.fabric8.kubernetes.api.model.rbac.Role;
import io.fabric8.kubernetes.api.model.rbac.RoleBinding;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The manifests of deploy/kubernetes against Kubernetes' model, the settings, and each other. */
class ManifestsTest {

  /** What a stop may take besides the drain, as docs/operations.md has it. */
  private static final Duration STOP_MARGIN = Duration.ofSeconds(25);

  private static final String KIND = "overlays/kind";
  private static final String PRODUCTION = "overlays/production";

  private static final Config DEFAULTS = ConfigFactory.defaultReference().getConfig("hawser");

  @Test
  void theCheckItselfIsStrict() {
    String service =
        """
        apiVersion: v1
        kind: Service
        metadata: {name: hawser}
        spec: {ports: [{port: 8000}]}
        """;
    assertThat(Manifests.parse(service).only(Service.class).getMetadata().getName())
        .isEqualTo("hawser");
    assertThatThrownBy(() -> Manifests.parse(service.replace("ports:", "port:")))
        .hasMessageContaining("Unrecognized field \"port\"");
    assertThatThrownBy(() -> Manifests.parse(service.replace("{port:", "{prot: 1, port:")))
        .hasMessageContaining("Unrecognized field \"prot\"");
    assertThatThrownBy(() -> Manifests.parse(service.replace("8000", "\"8000\"")))
        .hasMessageContaining("Cannot coerce String value");
    assertThatThrownBy(() -> Manifests.parse(service.replace("hawser", "8")))
        .hasMessageContaining("Cannot coerce Integer value");
    assertThatThrownBy(() -> Manifests.parse(service + "kind: Secret"))
        .hasMessageContaining("duplicate key kind");
    assertThatThrownBy(() -> Manifests.parse(service.replace("v1", "v2")))
        .hasMessageContaining("v1");
  }

  @Test
  void theFilesOfTheBaseFitTogether() throws Exception {
    fitsTogether(Manifests.files("base"));
  }

  @ParameterizedTest
  @ValueSource(strings = {KIND, PRODUCTION})
  void theFilesOfAnOverlayAreReadWhereNothingCanBeRendered(String directory) throws Exception {
    assertThat(Manifests.files(directory).objects()).hasSizeGreaterThan(2);
  }

  @ParameterizedTest
  @ValueSource(strings = {"base", KIND, PRODUCTION})
  void whatIsRenderedFitsTogether(String directory) throws Exception {
    fitsTogether(rendered(directory));
  }

  private static Manifests rendered(String directory) throws Exception {
    assumeTrue(Manifests.canRender(), "no kubectl on the PATH: " + directory + " was not rendered");
    return Manifests.render(directory);
  }

  private static void fitsTogether(Manifests manifests) throws IOException {
    portsAreThoseOfTheSettings(manifests);
    namedPortsExist(manifests);
    selectorsFindThePods(manifests);
    theNodeHasTimeToStop(manifests);
    theNodeMayAskForPodsAndLeases(manifests);
    theNodeIsNobody(manifests);
  }

  private static PodSpec pod(Manifests manifests) {
    return manifests.only(StatefulSet.class).getSpec().getTemplate().getSpec();
  }

  private static Container container(Manifests manifests) {
    assertThat(pod(manifests).getContainers()).hasSize(1);
    return pod(manifests).getContainers().getFirst();
  }

  private static void portsAreThoseOfTheSettings(Manifests manifests) {
    var ports =
        container(manifests).getPorts().stream()
            .collect(Collectors.toMap(ContainerPort::getName, ContainerPort::getContainerPort));
    assertThat(ports)
        .isEqualTo(
            Map.of(
                "websocket",
                DEFAULTS.getInt("websocket.port"),
                "http",
                DEFAULTS.getInt("http.port"),
                "cluster",
                DEFAULTS.getInt("cluster.port"),
                DEFAULTS.getString("cluster.kubernetes.port-name"),
                DEFAULTS.getInt("management.port")));
    var annotations =
        manifests.only(StatefulSet.class).getSpec().getTemplate().getMetadata().getAnnotations();
    assertThat(annotations)
        .containsEntry("prometheus.io/port", String.valueOf(DEFAULTS.getInt("management.port")));
  }

  private static void namedPortsExist(Manifests manifests) {
    Container container = container(manifests);
    var names = container.getPorts().stream().map(ContainerPort::getName).toList();
    assertThat(
            Stream.of(
                    container.getStartupProbe(),
                    container.getLivenessProbe(),
                    container.getReadinessProbe())
                .map(probe -> probe.getHttpGet())
                .map(HTTPGetAction::getPort))
        .allMatch(port -> port.equals(new IntOrString("management")));
    assertThat(container.getReadinessProbe().getHttpGet().getPath()).isEqualTo("/ready");
    assertThat(container.getLivenessProbe().getHttpGet().getPath()).isEqualTo("/alive");
    assertThat(
            manifests.only(NetworkPolicy.class).getSpec().getIngress().stream()
                .flatMap(rule -> rule.getPorts().stream())
                .map(NetworkPolicyPort::getPort)
                .map(IntOrString::getStrVal))
        .hasSameElementsAs(names);
    for (Service service : hawsers(manifests, Service.class)) {
      assertThat(service.getSpec().getPorts())
          .extracting(ServicePort::getTargetPort)
          .as(service.getMetadata().getName())
          .allMatch(port -> names.contains(port.getStrVal()));
    }
    assertThat(manifests.all(Service.class))
        .filteredOn(service -> "None".equals(service.getSpec().getClusterIP()))
        .extracting(service -> service.getMetadata().getName())
        .containsExactly(manifests.only(StatefulSet.class).getSpec().getServiceName());
  }

  private static <T extends HasMetadata> List<T> hawsers(Manifests manifests, Class<T> type) {
    return manifests.all(type).stream()
        .filter(object -> object.getMetadata().getName().startsWith("hawser"))
        .toList();
  }

  private static void selectorsFindThePods(Manifests manifests) {
    StatefulSet nodes = manifests.only(StatefulSet.class);
    Map<String, String> labels = nodes.getSpec().getTemplate().getMetadata().getLabels();
    assertThat(nodes.getSpec().getSelector().getMatchLabels()).isEqualTo(labels);
    assertThat(manifests.only(PodDisruptionBudget.class).getSpec().getSelector().getMatchLabels())
        .isEqualTo(labels);
    assertThat(manifests.only(NetworkPolicy.class).getSpec().getPodSelector().getMatchLabels())
        .isEqualTo(labels);
    assertThat(pod(manifests).getTopologySpreadConstraints())
        .hasSize(2)
        .allMatch(spread -> spread.getLabelSelector().getMatchLabels().equals(labels));
    // How nodes find each other.
    String[] selector = DEFAULTS.getString("cluster.kubernetes.pod-label-selector").split("=", 2);
    assertThat(labels).containsEntry(selector[0], selector[1]);

    var all =
        Stream.concat(
                Stream.of(labels),
                manifests.all(Deployment.class).stream()
                    .map(deployment -> deployment.getSpec().getTemplate())
                    .map(PodTemplateSpec::getMetadata)
                    .map(metadata -> metadata.getLabels()))
            .toList();
    for (Service service : manifests.all(Service.class)) {
      var wanted = new HashMap<>(service.getSpec().getSelector());
      // Kubernetes adds this one.
      wanted.remove("statefulset.kubernetes.io/pod-name");
      assertThat(all)
          .as(service.getMetadata().getName())
          .anyMatch(pod -> pod.entrySet().containsAll(wanted.entrySet()));
    }
  }

  private static void theNodeHasTimeToStop(Manifests manifests) {
    long before = container(manifests).getLifecycle().getPreStop().getSleep().getSeconds();
    assertThat(pod(manifests).getTerminationGracePeriodSeconds())
        .isGreaterThanOrEqualTo(
            before + DEFAULTS.getDuration("drain.timeout").plus(STOP_MARGIN).toSeconds());
  }

  private static void theNodeMayAskForPodsAndLeases(Manifests manifests) {
    ServiceAccount account = manifests.only(ServiceAccount.class);
    Role role = manifests.only(Role.class);
    RoleBinding binding = manifests.only(RoleBinding.class);
    assertThat(pod(manifests).getServiceAccountName()).isEqualTo(account.getMetadata().getName());
    assertThat(pod(manifests).getAutomountServiceAccountToken()).isTrue();
    assertThat(binding.getRoleRef().getKind()).isEqualTo("Role");
    assertThat(binding.getRoleRef().getName()).isEqualTo(role.getMetadata().getName());
    assertThat(binding.getSubjects())
        .singleElement()
        .satisfies(
            subject -> {
              assertThat(subject.getKind()).isEqualTo("ServiceAccount");
              assertThat(subject.getName()).isEqualTo(account.getMetadata().getName());
              assertThat(subject.getNamespace()).isEqualTo(account.getMetadata().getNamespace());
            });
    assertThat(verbs(role, "", "pods")).contains("get", "list", "watch");
    var leases = manifests.only(CustomResourceDefinition.class).getSpec();
    // As org.apache.pekko.coordination.lease.kubernetes asks for them.
    assertThat(leases.getGroup()).isEqualTo("pekko.apache.org");
    assertThat(leases.getNames().getPlural()).isEqualTo("leases");
    assertThat(leases.getScope()).isEqualTo("Namespaced");
    assertThat(leases.getVersions()).extracting(version -> version.getName()).contains("v1");
    assertThat(verbs(role, leases.getGroup(), leases.getNames().getPlural()))
        .contains("get", "create", "update");
  }

  private static List<String> verbs(Role role, String group, String resource) {
    return role.getRules().stream()
        .filter(rule -> rule.getApiGroups().contains(group))
        .filter(rule -> rule.getResources().contains(resource))
        .map(PolicyRule::getVerbs)
        .flatMap(List::stream)
        .toList();
  }

  private static void theNodeIsNobody(Manifests manifests) throws IOException {
    PodSpec pod = pod(manifests);
    Container container = container(manifests);
    assertThat(pod.getSecurityContext().getRunAsNonRoot()).isTrue();
    assertThat(container.getSecurityContext().getReadOnlyRootFilesystem()).isTrue();
    assertThat(container.getSecurityContext().getAllowPrivilegeEscalation()).isFalse();
    assertThat(container.getSecurityContext().getCapabilities().getDrop()).containsExactly("ALL");
    assertThat(container.getVolumeMounts())
        .extracting(mount -> mount.getMountPath())
        .contains("/tmp");
    assertThat(Path.of("..", "docker", "Dockerfile"))
        .content()
        .contains(
            "\nUSER %d:%d\n"
                .formatted(
                    pod.getSecurityContext().getRunAsUser(),
                    pod.getSecurityContext().getRunAsGroup()));
    // Else services named hawser-http or hawser-websocket set HAWSER_HTTP_PORT and its like.
    assertThat(pod.getEnableServiceLinks()).isFalse();
  }

  @Test
  void everyVariableIsOneThatTheSettingsRead() throws IOException {
    Set<String> known = known();
    assertThat(known).contains("HAWSER_CLUSTER_FORMATION", "HAWSER_PRESENCE_DATABASE_HOST");
    try (Stream<Path> files = Files.walk(Manifests.DIRECTORY)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        var used = new TreeSet<>(variables("\\b(HAWSER_[A-Z_]+)", Files.readString(file)));
        used.removeAll(Set.of("HAWSER_JAVA_OPTS", "HAWSER_LOG_LEVEL"));
        assertThat(known).as(file.toString()).containsAll(used);
      }
    }
  }

  private static Set<String> known() throws IOException {
    var known = new TreeSet<String>();
    for (var resource :
        Collections.list(ManifestsTest.class.getClassLoader().getResources("reference.conf"))) {
      try (var text = resource.openStream()) {
        known.addAll(
            variables("\\$\\{\\?(HAWSER_[A-Z_]+)}", new String(text.readAllBytes(), UTF_8)));
      }
    }
    return known;
  }

  private static Set<String> variables(String pattern, String text) {
    return Pattern.compile(pattern)
        .matcher(text)
        .results()
        .map((MatchResult match) -> match.group(1))
        .collect(Collectors.toSet());
  }

  /** The variables of a node's container, as the overlay sets them. */
  private static Map<String, String> environment(Manifests manifests) {
    var environment = new HashMap<String, String>();
    for (EnvVar variable : container(manifests).getEnv()) {
      environment.put(variable.getName(), variable.getValueFrom().getFieldRef().getFieldPath());
    }
    container(manifests)
        .getEnvFrom()
        .forEach(
            source -> {
              if (source.getConfigMapRef() != null) {
                String name = source.getConfigMapRef().getName();
                assertThat(manifests.only(ConfigMap.class).getMetadata().getName()).isEqualTo(name);
                environment.putAll(manifests.only(ConfigMap.class).getData());
              }
            });
    return environment;
  }

  /** The block {@code hawser} of a node with these variables. */
  private static Config settings(Map<String, String> environment) {
    return ConfigFactory.parseMap(environment)
        .withFallback(ConfigFactory.defaultReferenceUnresolved())
        .resolve(ConfigResolveOptions.defaults().setUseSystemEnvironment(false))
        .getConfig("hawser");
  }

  @ParameterizedTest
  @ValueSource(strings = {KIND, PRODUCTION})
  void theNodesFormOneCluster(String directory) throws Exception {
    Manifests manifests = rendered(directory);
    Config settings = settings(environment(manifests));
    var cluster = ClusterSettings.from(settings);
    assertThat(cluster.formation()).isEqualTo(ClusterSettings.Formation.KUBERNETES);
    assertThat(cluster.host()).isEqualTo("status.podIP");
    assertThat(settings.getString("management.host")).isEqualTo("status.podIP");
    assertThat(environment(manifests)).containsEntry("POD_NAME", "metadata.name");
    StatefulSet nodes = manifests.only(StatefulSet.class);
    assertThat(nodes.getSpec().getPodManagementPolicy()).isEqualTo("Parallel");
    int fewest =
        manifests.all(HorizontalPodAutoscaler.class).stream()
            .map(autoscaler -> autoscaler.getSpec().getMinReplicas())
            .findFirst()
            .orElseGet(() -> nodes.getSpec().getReplicas());
    // More than half of them, so that two clusters cannot form; not all, so that one may be
    // missing.
    assertThat(cluster.requiredContactPoints()).isGreaterThan(fewest / 2).isLessThan(fewest);
  }

  @Test
  void theAutoscalerStaysWithinMemoryAndAddresses() throws Exception {
    Manifests manifests = rendered(PRODUCTION);
    var autoscaler = manifests.only(HorizontalPodAutoscaler.class).getSpec();
    StatefulSet nodes = manifests.only(StatefulSet.class);
    assertThat(autoscaler.getScaleTargetRef().getName()).isEqualTo(nodes.getMetadata().getName());
    assertThat(autoscaler.getScaleTargetRef().getKind()).isEqualTo(nodes.getKind());
    assertThat(nodes.getSpec().getReplicas()).isNull();
    var metric = autoscaler.getMetrics().getFirst().getPods();
    assertThat(Path.of("..", "..", "docs", "operations.md"))
        .content()
        .contains("| `%s` |".formatted(metric.getMetric().getName()));

    // When one of the fewest nodes dies, the others get its connections.
    int fewest = autoscaler.getMinReplicas();
    long connections = Long.parseLong(metric.getTarget().getAverageValue().toString());
    assertThat(container(manifests).getResources().getLimits())
        .hasEntrySatisfying(
            "memory",
            memory ->
                assertThat(memory.getNumericalAmount().longValueExact())
                    .isGreaterThanOrEqualTo(Rules.memory(connections * fewest / (fewest - 1))));

    // Each node that there may be has an address, which is what it tells clients.
    Config settings = settings(environment(manifests));
    String path = settings.getString("connection.path");
    var expected =
        IntStream.range(0, autoscaler.getMaxReplicas())
            .mapToObj(ordinal -> nodes.getMetadata().getName() + "-" + ordinal)
            .collect(
                Collectors.toMap(
                    name ->
                        settings
                            .getString("advertised-url")
                            .replace("{pod}", name)
                            .replace("{path}", path),
                    name -> name));
    var actual = new HashMap<String, String>();
    for (var rule : manifests.only(Ingress.class).getSpec().getRules()) {
      for (HTTPIngressPath route : rule.getHttp().getPaths()) {
        String service = route.getBackend().getService().getName();
        actual.put("wss://" + rule.getHost() + route.getPath(), service);
        assertThat(manifests.all(Service.class))
            .filteredOn(candidate -> candidate.getMetadata().getName().equals(service))
            .singleElement()
            .satisfies(
                found ->
                    assertThat(found.getSpec().getPorts())
                        .extracting(ServicePort::getName)
                        .contains(route.getBackend().getService().getPort().getName()));
      }
    }
    assertThat(actual).containsAllEntriesOf(expected).hasSize(expected.size() + 2);
    for (String name : expected.values()) {
      assertThat(manifests.all(Service.class))
          .filteredOn(service -> service.getMetadata().getName().equals(name))
          .singleElement()
          .satisfies(
              service ->
                  assertThat(service.getSpec().getSelector())
                      .isEqualTo(Map.of("statefulset.kubernetes.io/pod-name", name)));
    }
  }

  @Test
  void theTrialTakesTheCommandsOfDevelopment() throws Exception {
    Manifests manifests = rendered(KIND);
    Secret secret = manifests.only(Secret.class);
    var decoded =
        secret.getData().entrySet().stream()
            .collect(
                Collectors.toMap(
                    Map.Entry::getKey,
                    entry -> new String(Base64.getDecoder().decode(entry.getValue()), UTF_8)));
    assertThat(decoded)
        .containsEntry("HAWSER_AUTH_HMAC_SECRET", Development.SECRET)
        .containsEntry("HAWSER_API_KEY", Development.API_KEY);
    assertThat(container(manifests).getEnvFrom())
        .anyMatch(
            source ->
                source.getSecretRef() != null
                    && source.getSecretRef().getName().equals(secret.getMetadata().getName()));
    // Ports of bin/hawser, by way of kind, to those of the services.
    String mappings = Files.readString(Manifests.DIRECTORY.resolve(KIND + "/cluster.yaml"));
    var ports = new Ports();
    Map.of("websocket", ports.webSocket(1), "http", ports.http(1), "outside", ports.kafka())
        .forEach(
            (name, port) -> {
              int nodePort =
                  manifests.all(Service.class).stream()
                      .flatMap(service -> service.getSpec().getPorts().stream())
                      .filter(candidate -> candidate.getName().equals(name))
                      .filter(candidate -> candidate.getNodePort() != null)
                      .map(ServicePort::getNodePort)
                      .findFirst()
                      .orElseThrow();
              assertThat(mappings)
                  .containsPattern("containerPort: %d\\s+hostPort: %d".formatted(nodePort, port));
            });
    Config kafka = settings(environment(manifests)).getConfig("kafka");
    String script =
        String.join(
            "\n",
            manifests
                .only(Job.class)
                .getSpec()
                .getTemplate()
                .getSpec()
                .getContainers()
                .getFirst()
                .getArgs());
    assertThat(variables("\n *topic (\\S+) \\d+", script))
        .isEqualTo(
            Stream.concat(
                    kafka.getObject("topics").unwrapped().values().stream(),
                    Stream.of(kafka.getString("broadcast")))
                .map(String::valueOf)
                .collect(Collectors.toSet()));
  }
}
