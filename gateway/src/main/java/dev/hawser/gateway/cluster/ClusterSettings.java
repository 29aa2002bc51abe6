package dev.hawser.gateway.cluster;

import com.typesafe.config.Config;
import com.typesafe.config.ConfigFactory;
import com.typesafe.config.ConfigValueType;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * How the node finds the others and what it does among them, from {@code hawser.roles} and {@code
 * hawser.cluster}; reference.conf tells what each key means.
 *
 * @param host how the others reach this node
 * @param roles at least one of {@link #GATEWAY} and {@link #PRESENCE}
 * @param contactPoints {@code host:port} of every node's management
 * @param requiredContactPoints nodes that must see each other to form a new cluster
 * @param kubernetes the block of that name
 * @param downing keep-majority or lease-majority
 */
public record ClusterSettings(
    String host,
    int port,
    Set<String> roles,
    Formation formation,
    List<String> contactPoints,
    int requiredContactPoints,
    Config kubernetes,
    String downing) {

  /** Serves clients. */
  public static final String GATEWAY = "gateway";

  /** Answers who is online. */
  public static final String PRESENCE = "presence";

  private static final Pattern CONTACT_POINT = Pattern.compile("([^\\s:/]+):(\\d{1,5})");

  /** How a node finds its cluster. */
  public enum Formation {
    /** It is the cluster. */
    ALONE,
    /** By a list of management endpoints. */
    CONTACT_POINTS,
    /** By the labels of pods. */
    KUBERNETES
  }

  /** Checks the values. */
  public ClusterSettings {
    roles = Set.copyOf(roles);
    contactPoints = List.copyOf(contactPoints);
    if (roles.isEmpty() || !Set.of(GATEWAY, PRESENCE).containsAll(roles)) {
      throw new IllegalArgumentException(
          "hawser.roles is %s, expected gateway, presence or both".formatted(roles));
    }
    if (formation == Formation.CONTACT_POINTS && contactPoints.isEmpty()) {
      throw new IllegalArgumentException(
          "hawser.cluster.contact-points is empty, expected host:port of every node's management"
              + " (hawser.cluster.formation is contact-points)");
    }
    for (String contactPoint : contactPoints) {
      if (!CONTACT_POINT.matcher(contactPoint).matches()) {
        throw new IllegalArgumentException(
            "hawser.cluster.contact-points has \"%s\", expected host:port".formatted(contactPoint));
      }
    }
    if (requiredContactPoints < 1) {
      throw new IllegalArgumentException(
          "hawser.cluster.required-contact-points is %d, expected at least 1"
              .formatted(requiredContactPoints));
    }
    if (formation == Formation.CONTACT_POINTS
        && contactPoints.size() > 1
        && requiredContactPoints <= contactPoints.size() / 2) {
      throw new IllegalArgumentException(
          ("hawser.cluster.required-contact-points is %d, expected more than half of the %d contact"
                  + " points, so that two clusters cannot form")
              .formatted(requiredContactPoints, contactPoints.size()));
    }
    if (!List.of("keep-majority", "lease-majority").contains(downing)) {
      throw new IllegalArgumentException(
          "hawser.cluster.downing is %s, expected keep-majority or lease-majority"
              .formatted(downing));
    }
  }

  /** Reads the block {@code hawser}. */
  public static ClusterSettings from(Config hawser) {
    Config cluster = hawser.getConfig("cluster");
    return new ClusterSettings(
        cluster.getString("host"),
        cluster.getInt("port"),
        Set.copyOf(list(hawser, "roles")),
        formation(cluster.getString("formation")),
        list(cluster, "contact-points"),
        cluster.getInt("required-contact-points"),
        cluster.getConfig("kubernetes"),
        cluster.getString("downing"));
  }

  private static Formation formation(String name) {
    return switch (name) {
      case "alone" -> Formation.ALONE;
      case "contact-points" -> Formation.CONTACT_POINTS;
      case "kubernetes" -> Formation.KUBERNETES;
      default ->
          throw new IllegalArgumentException(
              "hawser.cluster.formation is %s, expected alone, contact-points or kubernetes"
                  .formatted(name));
    };
  }

  /** A list; or one string with commas, as it comes from the environment. */
  private static List<String> list(Config config, String key) {
    return config.getValue(key).valueType() == ConfigValueType.STRING
        ? Pattern.compile("[,\\s]+")
            .splitAsStream(config.getString(key).strip())
            .filter(element -> !element.isEmpty())
            .toList()
        : config.getStringList(key);
  }

  /** {@code host:port} of this node in the cluster; also its name in the presence tables. */
  public String node() {
    return host + ":" + port;
  }

  /** Whether the node serves clients. */
  public boolean isGateway() {
    return roles.contains(GATEWAY);
  }

  /** Whether the node answers who is online. */
  public boolean isPresence() {
    return roles.contains(PRESENCE);
  }

  /**
   * A pause of the process that the others are sure not to have acted on: shorter than suspicion
   * and its confirmation take.
   *
   * @param system all settings of the actor system (hawser-pekko.conf)
   */
  public static Duration unnoticedPause(Config system) {
    Config cluster = system.getConfig("pekko.cluster");
    return cluster
        .getDuration("failure-detector.acceptable-heartbeat-pause")
        .plus(cluster.getDuration("split-brain-resolver.stable-after"))
        // The last sign of life may be as old as this.
        .minus(cluster.getDuration("failure-detector.heartbeat-interval"));
  }

  /** What these settings mean in the terms of Pekko. */
  public Config pekko() {
    String bootstrap = "pekko.management.cluster.bootstrap.contact-point-discovery.";
    var common =
        ConfigFactory.parseMap(
            Map.of(
                "pekko.cluster.roles",
                List.copyOf(roles),
                "pekko.cluster.split-brain-resolver.active-strategy",
                downing,
                bootstrap + "required-contact-point-nr",
                requiredContactPoints));
    return switch (formation) {
      case ALONE -> common;
      case CONTACT_POINTS ->
          common.withFallback(
              ConfigFactory.parseMap(
                  Map.of(
                      bootstrap + "discovery-method",
                      "config",
                      "pekko.discovery.config.services.hawser.endpoints",
                      contactPoints.stream().map(ClusterSettings::endpoint).toList())));
      case KUBERNETES -> {
        var discovery =
            ConfigFactory.parseMap(
                Map.of(
                    bootstrap + "discovery-method",
                    "kubernetes-api",
                    bootstrap + "port-name",
                    kubernetes.getString("port-name"),
                    // There may be many more pods than are required: a few of them that were cut
                    // off
                    // from the others must not form a cluster of their own.
                    bootstrap + "contact-with-all-contact-points",
                    true,
                    "pekko.discovery.kubernetes-api.pod-label-selector",
                    kubernetes.getString("pod-label-selector")));
        String namespace = kubernetes.getString("namespace");
        yield common
            .withFallback(discovery)
            .withFallback(
                namespace.isEmpty()
                    ? ConfigFactory.empty()
                    : ConfigFactory.parseMap(
                        Map.of(
                            "pekko.discovery.kubernetes-api.pod-namespace", namespace,
                            "pekko.coordination.lease.kubernetes.namespace", namespace)));
      }
    };
  }

  private static Map<String, Object> endpoint(String contactPoint) {
    Matcher parts = CONTACT_POINT.matcher(contactPoint);
    if (!parts.matches()) {
      throw new AssertionError(contactPoint);
    }
    return Map.of("host", parts.group(1), "port", Integer.parseInt(parts.group(2)));
  }
}
