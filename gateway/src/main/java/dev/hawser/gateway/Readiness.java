package dev.hawser.gateway;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;

/** What keeps the node from being ready, as {@code GET /ready} tells. */
final class Readiness implements Supplier<CompletionStage<Boolean>> {

  private final List<Supplier<String>> checks = new CopyOnWriteArrayList<>();

  /** The node is not ready while this does not hold. */
  void require(BooleanSupplier condition, String problem) {
    require(() -> condition.getAsBoolean() ? "" : problem);
  }

  /**
   * The node is not ready until this has held once. For what all nodes need: if it goes away later,
   * a node that is taken out of the balancer for it helps nobody.
   */
  void requireOnce(BooleanSupplier condition, String problem) {
    var held = new AtomicBoolean();
    require(
        () -> {
          if (!held.get() && condition.getAsBoolean()) {
            held.set(true);
          }
          return held.get();
        },
        problem);
  }

  /** The node is not ready while this is a problem; empty for none. */
  void require(Supplier<String> problem) {
    checks.add(problem);
  }

  /** All that is missing now. */
  List<String> problems() {
    return checks.stream().map(Supplier::get).filter(problem -> !problem.isEmpty()).toList();
  }

  boolean isReady() {
    return problems().isEmpty();
  }

  @Override
  public CompletionStage<Boolean> get() {
    List<String> problems = problems();
    return problems.isEmpty()
        ? CompletableFuture.completedFuture(true)
        : CompletableFuture.failedFuture(new IllegalStateException(String.join(", ", problems)));
  }
}
