package dev.hawser.gateway.session;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hawser.gateway.session.DevicePolicy.Excess;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.apache.pekko.actor.AddressFromURIString;
import org.apache.pekko.actor.testkit.typed.javadsl.TestInbox;
import org.apache.pekko.cluster.UniqueAddress;
import org.junit.jupiter.api.Test;

class SessionStateTest {

  private static final TestInbox<Edge.Message> EDGE = TestInbox.create();
  private static final UniqueAddress LIVING = node(1);
  private static final UniqueAddress DEAD = node(2);

  private static UniqueAddress node(long uid) {
    return new UniqueAddress(AddressFromURIString.parse("pekko://hawser@127.0.0.1:7355"), uid);
  }

  private static Outbox connection(long id, UniqueAddress node) {
    return new RemoteOutbox(id, "", EDGE.getRef(), node);
  }

  private static List<Long> ids(List<Outbox> connections) {
    return connections.stream().map(Outbox::id).toList();
  }

  @Property(tries = 300)
  void connectionsComeAndGoAsInANaiveModel(
      @ForAll @IntRange(min = 1, max = 5) int limit, @ForAll Excess excess, @ForAll long seed) {
    var random = new Random(seed);
    var state = new SessionState(new DevicePolicy(limit, excess));
    var nodes = new Nodes(1);
    List<Long> model = new ArrayList<>();
    for (int step = 0; step < 100; step++) {
      long id = 1L + random.nextInt(10);
      if (random.nextBoolean()) {
        var gone = state.attach(connection(id, LIVING), nodes);
        Long expected = null;
        if (!model.contains(id)) {
          if (model.size() < limit) {
            model.add(id);
          } else if (excess == Excess.REJECT_NEWEST) {
            expected = id;
          } else {
            expected = model.removeFirst();
            model.add(id);
          }
        }
        assertThat(gone == null ? null : (Long) gone.id()).isEqualTo(expected);
      } else {
        state.detach(id);
        model.remove((Long) id);
      }
      assertThat(ids(state.connections())).isEqualTo(model);
      assertThat(state.isEmpty()).isEqualTo(model.isEmpty());
    }
  }

  @Test
  void connectionsOfANodeThatIsGoneAreForgotten() {
    var state = new SessionState(new DevicePolicy(5, Excess.KICK_OLDEST));
    var nodes = new Nodes(1);
    state.attach(connection(1, LIVING), nodes);
    state.attach(connection(2, DEAD), nodes);
    state.prune(nodes);
    assertThat(ids(state.connections())).containsExactly(1L, 2L);

    nodes.removed(DEAD);
    state.prune(nodes);
    assertThat(ids(state.connections())).containsExactly(1L);
  }

  @Property
  void whoComesBackFromANodeThatSeemsToBeDeadTakesNobodysPlace(@ForAll Excess excess) {
    var state = new SessionState(new DevicePolicy(2, excess));
    var nodes = new Nodes(1);
    state.attach(connection(1, LIVING), nodes);
    state.attach(connection(2, DEAD), nodes);
    nodes.reachable(DEAD, false);

    assertThat(state.attach(connection(3, LIVING), nodes)).isNull();
    var excessive = requireNonNull(state.attach(connection(4, LIVING), nodes));
    assertThat(excessive.id()).isEqualTo(excess == Excess.REJECT_NEWEST ? 4 : 1);

    nodes.reachable(DEAD, true);
    assertThat(state.attach(connection(5, LIVING), nodes)).isNotNull();
  }
}
