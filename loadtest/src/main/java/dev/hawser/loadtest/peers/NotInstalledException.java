package dev.hawser.loadtest.peers;

/** A peer cannot be started on this machine; the message is what is missing. */
final class NotInstalledException extends Exception {

  NotInstalledException(String missing) {
    super(missing);
  }
}
