package dev.hawser.gateway.kafka;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AdminClientConfig;
import org.apache.kafka.clients.admin.DescribeTopicsResult;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.pekko.actor.typed.ActorSystem;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether Kafka can be reached and has the topics the node needs; asked over and over, logged when
 * it changes. The clients of Kafka retry by themselves but say little about why.
 */
public final class KafkaHealth implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(KafkaHealth.class);
  private static final Duration RETRY = Duration.ofMillis(500);
  private static final Duration RECHECK = Duration.ofSeconds(5);
  private static final Duration TIMEOUT = Duration.ofSeconds(4);

  private final ActorSystem<?> system;
  private final KafkaSettings settings;
  private final RecordPublisher publisher;
  private final List<String> topics;
  private final Admin admin;
  private final CompletableFuture<TopicDescription> events = new CompletableFuture<>();
  private volatile boolean reachable;
  private volatile boolean sameTopic = true;
  private volatile boolean closed;
  private String lastProblem = "";

  /** Starts to ask, and goes on until closed. */
  public KafkaHealth(ActorSystem<?> system, KafkaSettings settings, RecordPublisher publisher) {
    this.system = system;
    this.settings = settings;
    this.publisher = publisher;
    this.topics = List.of(settings.events(), settings.upstream(), settings.deadLetters());
    int timeout = Math.toIntExact(TIMEOUT.toMillis());
    this.admin =
        Admin.create(
            settings.client(
                Map.of(
                    AdminClientConfig.REQUEST_TIMEOUT_MS_CONFIG,
                    timeout,
                    AdminClientConfig.DEFAULT_API_TIMEOUT_MS_CONFIG,
                    timeout)));
    ask();
  }

  /** Whether it answered the last time it was asked, and events and messages can flow. */
  public boolean reachable() {
    return reachable;
  }

  /**
   * Whether the events topic is still the one that the node has started with. If it is not, no node
   * goes on with it by itself.
   */
  public boolean sameTopic() {
    return sameTopic;
  }

  /** Completes with what Kafka says about the events topic, the first time it says anything. */
  public CompletionStage<TopicDescription> events() {
    return events.copy();
  }

  private void ask() {
    DescribeTopicsResult asked = admin.describeTopics(topics);
    var unused =
        asked
            .allTopicNames()
            .toCompletionStage()
            .whenComplete(
                (described, failure) -> answered(asked.topicNameValues(), described, failure));
  }

  private void answered(
      Map<String, KafkaFuture<TopicDescription>> each,
      @Nullable Map<String, TopicDescription> described,
      @Nullable Throwable failure) {
    if (closed) {
      return;
    }
    TopicDescription topic = described == null ? null : described.get(settings.events());
    if (topic != null) {
      sameTopic = isSame(topic);
    }
    if (failure != null) {
      report(problem(each, failure));
    } else if (!sameTopic) {
      report(
          "%s was created anew, or its partitions were changed, expected %d partitions; restart all"
                  .formatted(settings.events(), events.join().partitions().size())
              + " nodes");
    } else if (topics.stream().allMatch(publisher::knows)) {
      report("");
    }
    var unused =
        system
            .scheduler()
            .scheduleOnce(reachable ? RECHECK : RETRY, this::ask, system.executionContext());
  }

  /**
   * Which users belong to which shard hangs on the number of partitions, positions on the topic.
   */
  private boolean isSame(TopicDescription topic) {
    events.complete(topic);
    TopicDescription first = events.join();
    return topic.topicId().equals(first.topicId())
        && topic.partitions().size() == first.partitions().size();
  }

  /**
   * Takes note of the answer.
   *
   * @param problem empty if there is none
   */
  private void report(String problem) {
    boolean wasReachable = reachable;
    reachable = problem.isEmpty();
    if (reachable && !wasReachable) {
      log.info("Kafka at {} is reachable", settings.access());
    } else if (!reachable && !problem.equals(lastProblem)) {
      log.warn("Kafka at {}: {}; trying again", settings.access(), problem);
    }
    lastProblem = problem;
  }

  private static String problem(
      Map<String, KafkaFuture<TopicDescription>> each, Throwable failure) {
    Throwable cause = failure.getCause() == null ? failure : failure.getCause();
    if (cause instanceof UnknownTopicOrPartitionException) {
      return each.entrySet().stream()
          .filter(topic -> topic.getValue().isCompletedExceptionally())
          .map(Map.Entry::getKey)
          .sorted()
          .collect(Collectors.joining(", ", "missing topics: ", ""));
    }
    return "no answer (" + cause.getMessage() + ")";
  }

  @Override
  public void close() {
    closed = true;
    admin.close(Duration.ZERO);
  }
}
