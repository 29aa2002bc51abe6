package dev.hawser.gateway.connection;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.protocol.client.JsonCodec;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class TimerWheelTest {

  private static final ConnectionServices SERVICES = new PlayedServices("").services;

  private final ConnectionLoop loop = new ConnectionLoop(new ManualExecutor(), SERVICES.settings());

  @Property(tries = 300)
  void everyConnectionHasItsTurnWhenANaiveModelSaysSo(
      @ForAll @IntRange(min = 1, max = 30) int ticks, @ForAll long seed) {
    var random = new Random(seed);
    var wheel = new TimerWheel(ticks);
    Map<ClientConnection, Integer> turns = new HashMap<>();
    List<ClientConnection> connections = new ArrayList<>();
    int now = 0;
    for (int step = 0; step < 200; step++) {
      switch (random.nextInt(4)) {
        case 0, 1 -> {
          var connection = connection();
          int after = 1 + random.nextInt(ticks);
          wheel.add(connection, after);
          turns.put(connection, (now + after) % ticks);
          connections.add(connection);
        }
        case 2 -> {
          if (!connections.isEmpty()) {
            var gone = connections.remove(random.nextInt(connections.size()));
            wheel.remove(gone);
            turns.remove(gone);
          }
        }
        default -> {
          wheel.advance();
          now = (now + 1) % ticks;
        }
      }
      int ago = random.nextInt(ticks);
      assertThat(visited(wheel, ago)).isEqualTo(due(turns, Math.floorMod(now - ago, ticks)));
    }
    Set<ClientConnection> all = new HashSet<>();
    wheel.forEach(all::add);
    assertThat(all).isEqualTo(turns.keySet());
  }

  @Test
  void aVisitMayRemoveItsConnectionAndOthers() {
    var wheel = new TimerWheel(1);
    List<ClientConnection> connections = new ArrayList<>();
    for (int i = 0; i < 10; i++) {
      connections.add(connection());
      wheel.add(connections.getLast(), 1);
    }

    wheel.forEach(0, visited -> connections.forEach(connection -> remove(wheel, connection)));

    assertThat(visited(wheel, 0)).isEmpty();
  }

  private static void remove(TimerWheel wheel, ClientConnection connection) {
    if (connection.wheel == wheel) {
      wheel.remove(connection);
    }
  }

  private ClientConnection connection() {
    var connection = new ClientConnection(SERVICES, loop, new FakeTransport(), JsonCodec.INSTANCE);
    loop.forget(connection);
    return connection;
  }

  private static Set<ClientConnection> visited(TimerWheel wheel, int ago) {
    Set<ClientConnection> visited = new HashSet<>();
    wheel.forEach(ago, connection -> assertThat(visited.add(connection)).isTrue());
    return visited;
  }

  private static Set<ClientConnection> due(Map<ClientConnection, Integer> turns, int slot) {
    Set<ClientConnection> due = new HashSet<>();
    turns.forEach(
        (connection, turn) -> {
          if (turn == slot) {
            due.add(connection);
          }
        });
    return due;
  }
}
