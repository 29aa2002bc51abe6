package dev.hawser.deploy.standalone.doctor;

/**
 * One line of the diagnosis.
 *
 * @param setting as its documentation calls it
 * @param here what it is on this host
 * @param needed what it should be
 * @param advice what to do about it; empty if nothing
 */
public record Finding(String setting, String here, String needed, Verdict verdict, String advice) {

  /** What a setting is found to be. */
  public enum Verdict {
    OK("ok"),
    TOO_LOW("too low"),
    TOO_HIGH("too high"),
    /** It could not be read. */
    UNKNOWN("unknown");

    private final String text;

    Verdict(String text) {
      this.text = text;
    }

    /** For people. */
    public String text() {
      return text;
    }
  }

  /** Whether something has to be done. */
  public boolean isProblem() {
    return verdict == Verdict.TOO_LOW || verdict == Verdict.TOO_HIGH;
  }
}
