package dev.hawser.gateway.journal;

import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import java.util.function.ToIntFunction;

/**
 * Answers many questions with few statements: those that come while a statement is under way share
 * the next one. One is under way at a time, so questions are answered in their order.
 */
final class Batches<Q, A> {

  private record Asked<Q, A>(Q question, CompletableFuture<A> answer) {}

  private final int most;
  private final int mostWeight;
  private final ToIntFunction<Q> weight;
  private final Function<List<Q>, CompletionStage<List<A>>> statement;
  private final Queue<Asked<Q, A>> waiting = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean busy = new AtomicBoolean();

  /** Of questions that weigh nothing. */
  Batches(int most, Function<List<Q>, CompletionStage<List<A>>> statement) {
    this(most, Integer.MAX_VALUE, question -> 0, statement);
  }

  /**
   * Takes how large a statement may be.
   *
   * @param most questions
   * @param mostWeight of all together; a single question may weigh more
   * @param statement gives the answers, in the order of the questions
   */
  Batches(
      int most,
      int mostWeight,
      ToIntFunction<Q> weight,
      Function<List<Q>, CompletionStage<List<A>>> statement) {
    this.most = most;
    this.mostWeight = mostWeight;
    this.weight = weight;
    this.statement = statement;
  }

  /** Fails as the statement does. */
  CompletionStage<A> ask(Q question) {
    var asked = new Asked<Q, A>(question, new CompletableFuture<>());
    waiting.add(asked);
    next();
    return asked.answer();
  }

  private void next() {
    if (waiting.isEmpty() || !busy.compareAndSet(false, true)) {
      return;
    }
    List<Asked<Q, A>> batch = take();
    if (batch.isEmpty()) {
      busy.set(false);
      return;
    }
    CompletionStage<List<A>> answers;
    try {
      answers = statement.apply(batch.stream().map(Asked::question).toList());
    } catch (RuntimeException failure) {
      answers = CompletableFuture.failedFuture(failure);
    }
    var unused =
        answers.whenComplete(
            (given, failure) -> {
              busy.set(false);
              next();
              for (int i = 0; i < batch.size(); i++) {
                if (failure == null) {
                  batch.get(i).answer().complete(given.get(i));
                } else {
                  batch.get(i).answer().completeExceptionally(failure);
                }
              }
            });
  }

  /** Only whoever is busy takes, so what is looked at stays. */
  private List<Asked<Q, A>> take() {
    List<Asked<Q, A>> batch = new ArrayList<>();
    long total = 0;
    for (Asked<Q, A> first = waiting.peek(); first != null; first = waiting.peek()) {
      total += weight.applyAsInt(first.question());
      if (batch.size() == most || (!batch.isEmpty() && total > mostWeight)) {
        break;
      }
      batch.add(first);
      waiting.remove();
    }
    return batch;
  }
}
