package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a loop owes to those that have nothing to do with the failure of another. */
class ConnectionLoopTest {

  private final ManualExecutor thread = new ManualExecutor();
  private final ConnectionLoop loop =
      new ConnectionLoop(thread, new PlayedServices("").services.settings());
  private final List<String> ran = new ArrayList<>();

  @Test
  void anErrorAtTheEndOfATurnKeepsNobodyElseFromIt() {
    loop.atEndOfTurn(() -> ran.add("before"));
    loop.atEndOfTurn(
        () -> {
          loop.atEndOfTurn(() -> ran.add("meanwhile"));
          throw new StackOverflowError("of a test");
        });
    loop.atEndOfTurn(() -> ran.add("behind"));
    thread.runWaiting();
    assertThat(ran).containsExactly("before", "behind", "meanwhile");

    loop.atEndOfTurn(() -> ran.add("next turn"));
    thread.runWaiting();
    assertThat(ran).containsExactly("before", "behind", "meanwhile", "next turn");
  }
}
