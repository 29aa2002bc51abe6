package dev.hawser.loadtest.client;

import java.util.Arrays;

/**
 * What clients and a server say to each other in text frames. It is the same for all connections of
 * a worker, and runs on their event loop.
 */
sealed interface Dialect permits Centrifugo, PlainText, SocketIo {

  /** What is not there, of a {@link #number}. */
  long ABSENT = -1;

  /** What a client is told of pings when there are none. */
  long NO_PINGS = Long.MAX_VALUE / 2;

  /** The WebSocket is open. */
  void upgraded(LightClient client);

  /**
   * A text frame has come.
   *
   * @param text used again for the next one
   */
  void onText(LightClient client, byte[] text, int length);

  /** All have left, and come back as if they had never been here. */
  void forget();

  /** The number behind a name, or {@link #ABSENT}. */
  static long number(byte[] name, byte[] text, int from, int to) {
    for (int i = from; i <= to - name.length; i++) {
      if (text[i] == name[0] && Arrays.equals(text, i, i + name.length, name, 0, name.length)) {
        long number = 0;
        for (int j = i + name.length; j < to && text[j] >= '0' && text[j] <= '9'; j++) {
          number = 10 * number + text[j] - '0';
        }
        return number;
      }
    }
    return ABSENT;
  }
}
