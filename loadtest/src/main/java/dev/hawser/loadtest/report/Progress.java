package dev.hawser.loadtest.report;

/** What a run says while it runs, on standard error. On a terminal, figures stay on one line. */
public final class Progress {

  private static final String CLEAR = "\r\033[K";
  private static final int EVERY = 5;

  private final boolean terminal = Boolean.getBoolean("hawser.terminal");
  private int shown;

  public void say(String text) {
    System.err.println((terminal ? CLEAR : "") + text);
  }

  /** Where there is no terminal, only now and then. */
  public void show(String figures) {
    if (terminal) {
      System.err.print(CLEAR + figures);
    } else if (shown++ % EVERY == 0) {
      System.err.println(figures);
    }
  }

  /** What it runs on. */
  public static String machine() {
    return "%d cores, %s, Java %s"
        .formatted(
            Runtime.getRuntime().availableProcessors(),
            System.getProperty("os.name") + " " + System.getProperty("os.version"),
            Runtime.version());
  }
}
