package dev.hawser.gateway.connection;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Connections by the tick at which their turn comes, round and round. Adding and removing take
 * constant time: a connection remembers its place. Not thread-safe.
 */
final class TimerWheel {

  private final List<List<ClientConnection>> slots;
  private int now;
  private int size;

  TimerWheel(int ticks) {
    slots = new ArrayList<>(ticks);
    for (int tick = 0; tick < ticks; tick++) {
      slots.add(new ArrayList<>());
    }
  }

  /**
   * Puts the connection where the wheel stands in {@code ticks} ticks.
   *
   * @param ticks 1 to the size of the wheel
   */
  void add(ClientConnection connection, int ticks) {
    connection.wheel = this;
    connection.wheelSlot = (now + ticks) % slots.size();
    List<ClientConnection> slot = slots.get(connection.wheelSlot);
    connection.wheelPosition = slot.size();
    slot.add(connection);
    size++;
  }

  /** Takes the connection out; the last of its slot moves into the gap. */
  void remove(ClientConnection connection) {
    List<ClientConnection> slot = slots.get(connection.wheelSlot);
    ClientConnection last = slot.removeLast();
    if (last != connection) {
      last.wheelPosition = connection.wheelPosition;
      slot.set(connection.wheelPosition, last);
    }
    connection.wheel = null;
    size--;
  }

  /** Connections there are. */
  int size() {
    return size;
  }

  void advance() {
    now = (now + 1) % slots.size();
  }

  /**
   * Visits the connections of the slot that was current {@code ticksAgo} ago. From the end, so that
   * a visit may remove its connection, and others, or put it elsewhere.
   */
  void forEach(int ticksAgo, Consumer<ClientConnection> visit) {
    forEach(slots.get(Math.floorMod(now - ticksAgo, slots.size())), visit);
  }

  /** Visits all connections; a visit may remove its connection, and others. */
  void forEach(Consumer<ClientConnection> visit) {
    slots.forEach(slot -> forEach(slot, visit));
  }

  private static void forEach(List<ClientConnection> slot, Consumer<ClientConnection> visit) {
    for (int position = slot.size() - 1; position >= 0; position--) {
      if (position < slot.size()) {
        visit.accept(slot.get(position));
      }
    }
  }
}
