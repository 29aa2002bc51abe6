package dev.hawser.loadtest;

import dev.hawser.loadtest.client.WorkerPlan.Talk;
import java.util.Locale;

/** What can be run, with defaults that fit two cores which everything shares. */
enum Scenario {
  IDLE("users are connected and quiet", 10_000, 1, 0, 20),
  PUSH("records on hawser.events for random users, --rate a second", 10_000, 1, 5_000, 30),
  CHURN("--rate connections a second end and are replaced", 5_000, 1, 500, 30),
  STORM("a node is killed or drained, and everyone comes back", 3_000, 2, 500, 60),
  BROADCAST("a record on hawser.broadcast for everyone, every --every", 5_000, 1, 0, 30),
  BROADCAST_ACK("the same, and every client answers", 2_000, 1, 0, 30),
  UPSTREAM("clients publish, --rate a second, which Kafka acknowledges", 2_000, 1, 2_000, 30),
  CHAT("clients write to each other, by way of a business service", 2_000, 1, 1_000, 30);

  final String description;
  final int users;
  final int nodes;
  final double rate;
  final int seconds;

  Scenario(String description, int users, int nodes, double rate, int seconds) {
    this.description = description;
    this.users = users;
    this.nodes = nodes;
    this.rate = rate;
    this.seconds = seconds;
  }

  /** As it is written on the command line. */
  String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  boolean needsKafka() {
    return this != IDLE && this != CHURN;
  }

  boolean broadcasts() {
    return this == BROADCAST || this == BROADCAST_ACK;
  }

  /** Whether all stay connected, so that what a connection costs can be told. */
  boolean holds() {
    return this == IDLE || this == PUSH;
  }

  /** Whether the load generator writes events for single users, and not the clients. */
  boolean pushes() {
    return this == PUSH || this == STORM;
  }

  Talk talk() {
    return switch (this) {
      case IDLE, PUSH, CHURN, STORM, BROADCAST -> Talk.NOTHING;
      case BROADCAST_ACK -> Talk.ANSWER;
      case UPSTREAM -> Talk.PUBLISH;
      case CHAT -> Talk.CHAT;
    };
  }
}
