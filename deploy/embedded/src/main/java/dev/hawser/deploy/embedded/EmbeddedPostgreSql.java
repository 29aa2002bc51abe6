package dev.hawser.deploy.embedded;

import io.zonky.test.db.postgres.embedded.EmbeddedPostgres;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A PostgreSQL server on loopback, as a child process. It can be stopped and started again on its
 * port with its data, so that tests can take it away. Not thread-safe.
 */
public final class EmbeddedPostgreSql implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(EmbeddedPostgreSql.class);

  /** The superuser; no password is asked for on loopback. */
  public static final String USER = "postgres";

  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);

  private final int port;
  private final Path directory;
  private final boolean temporary;
  private final boolean durable;
  private @Nullable EmbeddedPostgres server;

  /** Starts a server on a free port, with data that are removed when it is closed. */
  public static EmbeddedPostgreSql start() {
    return start(LocalPort.free(), null);
  }

  /**
   * As {@link #start()}, but with PostgreSQL's own defaults: what is committed is on the disk.
   * Otherwise it survives the end of the server, not of the machine.
   */
  public static EmbeddedPostgreSql startDurable() {
    return start(LocalPort.free(), null, true);
  }

  /**
   * Starts a server; takes about 5 s the first time and 3 s later.
   *
   * @param directory where data are kept; null for a temporary directory that is removed at the end
   * @throws UncheckedIOException if it does not come up
   */
  public static EmbeddedPostgreSql start(int port, @Nullable Path directory) {
    return start(port, directory, false);
  }

  private static EmbeddedPostgreSql start(int port, @Nullable Path directory, boolean durable) {
    try {
      Path data = directory == null ? Files.createTempDirectory("hawser-postgresql-") : directory;
      var postgreSql = new EmbeddedPostgreSql(port, data, directory == null, durable);
      boolean started = false;
      try {
        postgreSql.restart();
        started = true;
        return postgreSql;
      } finally {
        if (!started) {
          postgreSql.close();
        }
      }
    } catch (IOException failure) {
      throw new UncheckedIOException("no directory for PostgreSQL", failure);
    }
  }

  private EmbeddedPostgreSql(int port, Path directory, boolean temporary, boolean durable) {
    this.port = port;
    this.directory = directory;
    this.temporary = temporary;
    this.durable = durable;
  }

  /** The port it listens on. */
  public int port() {
    return port;
  }

  /** Whether there is a database of that name. */
  public boolean hasDatabase(String name) {
    try (var connection = running().getPostgresDatabase().getConnection();
        var statement = connection.prepareStatement("SELECT FROM pg_database WHERE datname = ?")) {
      statement.setString(1, name);
      try (var rows = statement.executeQuery()) {
        return rows.next();
      }
    } catch (SQLException failure) {
      throw new IllegalStateException("cannot ask for database " + name, failure);
    }
  }

  /** Creates an empty database, dropping an earlier one of that name. */
  public void createDatabase(String name) {
    try (var connection = running().getPostgresDatabase().getConnection();
        var statement = connection.createStatement()) {
      statement.execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)");
      statement.execute("CREATE DATABASE " + name);
    } catch (SQLException failure) {
      throw new IllegalStateException("cannot create database " + name, failure);
    }
  }

  /** A JDBC address of one of its databases. */
  public String jdbcUrl(String database) {
    return "jdbc:postgresql://127.0.0.1:%d/%s?user=%s".formatted(port, database, USER);
  }

  /** Takes the server away; data stay. */
  public void stop() {
    if (server != null) {
      try {
        server.close();
      } catch (IOException failure) {
        throw new UncheckedIOException("PostgreSQL does not stop", failure);
      } finally {
        server = null;
      }
    }
  }

  /** Brings a stopped server back, on the same port with the same data. */
  public void restart() {
    stop();
    try {
      boot();
    } catch (IOException failure) {
      throw new UncheckedIOException("PostgreSQL does not start on port " + port, failure);
    }
  }

  /** Stops the server; temporary data are removed. */
  @Override
  public void close() {
    stop();
    if (temporary) {
      Directories.delete(directory);
    }
  }

  private EmbeddedPostgres running() {
    if (server == null) {
      throw new IllegalStateException("PostgreSQL is stopped");
    }
    return server;
  }

  private void boot() throws IOException {
    long startedAt = System.nanoTime();
    Path binaries = binaries();
    // The library makes its own choice, below /tmp, even when it is told another directory.
    System.setProperty("ot.epg.working-dir", binaries.toString());
    server =
        EmbeddedPostgres.builder()
            .setPort(port)
            .setDataDirectory(directory.resolve("data"))
            .setCleanDataDirectory(false)
            .setOverrideWorkingDirectory(binaries.toFile())
            .setRegisterShutdownHook(false)
            .setLocaleConfig("locale", "C")
            .setServerConfig("listen_addresses", "127.0.0.1")
            .setServerConfig("timezone", "UTC")
            .setServerConfig("fsync", durable ? "on" : "off")
            .setServerConfig("synchronous_commit", durable ? "on" : "off")
            .setPGStartupWait(START_TIMEOUT)
            .start();
    if (Thread.interrupted()) {
      // The library takes an interrupt while it waits for the server for a server that is up.
      stop();
      throw new InterruptedIOException("interrupted while PostgreSQL starts");
    }
    log.info(
        "PostgreSQL listens on port {} after {} ms",
        port,
        Duration.ofNanos(System.nanoTime() - startedAt).toMillis());
  }

  /**
   * Where the server is unpacked. Below the user's home, for all runs; not below /tmp, where
   * another user of the machine may own it already.
   */
  private Path binaries() {
    Path home = Path.of(System.getProperty("user.home"));
    if (home.isAbsolute()) {
      try {
        return Files.createDirectories(home.resolve(".cache").resolve("hawser/postgresql"));
      } catch (IOException homeless) {
        log.debug("no cache below {}, as for users of services and containers", home, homeless);
      }
    }
    return directory.resolve("binaries");
  }
}
