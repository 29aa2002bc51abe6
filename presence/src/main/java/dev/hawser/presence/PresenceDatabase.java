package dev.hawser.presence;

import io.r2dbc.pool.ConnectionPool;
import io.r2dbc.pool.ConnectionPoolConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionConfiguration;
import io.r2dbc.postgresql.PostgresqlConnectionFactory;
import io.r2dbc.postgresql.client.SSLMode;
import io.r2dbc.spi.Connection;
import io.r2dbc.spi.R2dbcException;
import io.r2dbc.spi.R2dbcNonTransientResourceException;
import io.r2dbc.spi.R2dbcTimeoutException;
import io.r2dbc.spi.R2dbcTransientException;
import io.r2dbc.spi.Row;
import io.r2dbc.spi.Statement;
import io.r2dbc.spi.ValidationDepth;
import io.r2dbc.spi.Wrapped;
import java.io.IOException;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.flywaydb.core.Flyway;
import org.flywaydb.core.api.FlywayException;
import org.reactivestreams.Publisher;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * The way to PostgreSQL, and whether it can be reached: one log line when that changes, however
 * many statements fail.
 *
 * <p>A network can lose packets without a word. So everything has a time limit; a connection on
 * which anything went wrong is closed, as an answer may still come, or never; and one that was idle
 * has to answer before it is used.
 */
public final class PresenceDatabase implements AutoCloseable {

  private static final Logger log = LoggerFactory.getLogger(PresenceDatabase.class);

  /** Whoever waits for an answer waits no longer than this. */
  static final Duration TIMEOUT = Duration.ofSeconds(10);

  /**
   * PostgreSQL itself gives up sooner, so that its locks are free by then: on a statement, and on a
   * transaction of a node that was paused, or cut off, in the middle of it.
   */
  private static final Duration SERVER_TIMEOUT = Duration.ofSeconds(5);

  /** Any number; the same on all nodes. Goes with the connection. */
  private static final String MIGRATION_LOCK = "SELECT pg_advisory_lock(4918)";

  private static final Duration CONNECT_TIMEOUT = Duration.ofSeconds(3);
  private static final Duration VALIDATION_TIMEOUT = Duration.ofMillis(500);
  private static final Duration MIGRATION_TIMEOUT = Duration.ofSeconds(30);
  private static final Duration MAX_IDLE_TIME = Duration.ofMinutes(5);
  private static final Duration MAX_LIFE_TIME = Duration.ofMinutes(30);

  /** One thread writes counts, one keeps the lease, one removes dead nodes. */
  private static final int RECORDING_CONNECTIONS = 3;

  /** One thread moves what ended to the archive, one publishes events. */
  private static final int BACKGROUND_CONNECTIONS = 2;

  /** One is left for queries. */
  static final int LEAST_CONNECTIONS = RECORDING_CONNECTIONS + BACKGROUND_CONNECTIONS + 1;

  /**
   * A plan goes by the values asked for: which months, whose stays. To compile it takes longer than
   * to run it.
   */
  private static final Map<String, String> QUERY_OPTIONS =
      Map.of("plan_cache_mode", "force_custom_plan", "jit", "off");

  private final PresenceSettings.Database settings;
  private final String purpose;
  private final ConnectionPool pool;
  private volatile boolean reachable;
  private boolean failed;

  /** For what keeps presence right: queries, however many and slow, must not hold it up. */
  static PresenceDatabase forRecording(PresenceSettings.Database settings) {
    return new PresenceDatabase(settings, "recording", RECORDING_CONNECTIONS, Map.of());
  }

  /** For the archive and the publisher: queries must not hold them up, nor they queries. */
  static PresenceDatabase forBackground(PresenceSettings.Database settings) {
    return new PresenceDatabase(settings, "background", BACKGROUND_CONNECTIONS, QUERY_OPTIONS);
  }

  /** For what the API is asked. */
  static PresenceDatabase forQueries(PresenceSettings.Database settings) {
    int connections = settings.maxConnections() - RECORDING_CONNECTIONS - BACKGROUND_CONNECTIONS;
    return new PresenceDatabase(settings, "queries", connections, QUERY_OPTIONS);
  }

  /**
   * For others that keep something in the same database, with connections of their own.
   *
   * @param purpose what the log and PostgreSQL's list of connections call it
   */
  public static PresenceDatabase forOthers(
      PresenceSettings.Database settings, String purpose, int connections) {
    return new PresenceDatabase(settings, purpose, connections, Map.of());
  }

  private PresenceDatabase(
      PresenceSettings.Database settings,
      String purpose,
      int connections,
      Map<String, String> options) {
    this.settings = settings;
    this.purpose = purpose;
    var all = new HashMap<>(options);
    all.put("idle_in_transaction_session_timeout", Long.toString(SERVER_TIMEOUT.toMillis()));
    var connection =
        PostgresqlConnectionConfiguration.builder()
            .host(settings.host())
            .port(settings.port())
            .database(settings.name())
            .username(settings.user())
            .applicationName("hawser-" + purpose)
            .connectTimeout(CONNECT_TIMEOUT)
            .statementTimeout(SERVER_TIMEOUT)
            .options(all)
            .sslMode(settings.ssl() ? SSLMode.REQUIRE : SSLMode.DISABLE)
            .tcpKeepAlive(true);
    if (!settings.password().isEmpty()) {
      connection.password(settings.password());
    }
    pool =
        new ConnectionPool(
            ConnectionPoolConfiguration.builder(new PostgresqlConnectionFactory(connection.build()))
                .initialSize(0)
                .maxSize(connections)
                .maxAcquireTime(CONNECT_TIMEOUT)
                .maxCreateConnectionTime(CONNECT_TIMEOUT)
                .validationDepth(ValidationDepth.REMOTE)
                .maxValidationTime(VALIDATION_TIMEOUT)
                .acquireRetry(connections)
                .maxIdleTime(MAX_IDLE_TIME)
                .maxLifeTime(MAX_LIFE_TIME)
                .build());
  }

  /** Whether it could be reached the last time somebody tried. */
  public boolean reachable() {
    return reachable;
  }

  /**
   * Brings tables to the newest version; blocks.
   *
   * @param name of the scripts' directory below {@code db} on the class path
   * @throws R2dbcException if PostgreSQL is away, or the tables cannot be migrated
   */
  public void migrate(String name) {
    String url =
        "jdbc:postgresql://%s:%d/%s?connectTimeout=%d&socketTimeout=%d%s"
            .formatted(
                settings.host(),
                settings.port(),
                settings.name(),
                CONNECT_TIMEOUT.toSeconds(),
                MIGRATION_TIMEOUT.toSeconds(),
                settings.ssl() ? "&sslmode=require" : "");
    // Flyway's own lock does not cover the creation of its table, and nodes start together.
    try (var connection = DriverManager.getConnection(url, settings.user(), settings.password());
        var statement = connection.createStatement()) {
      statement.execute(MIGRATION_LOCK);
      var unused =
          Flyway.configure()
              .dataSource(url, settings.user(), settings.password())
              .locations("classpath:db/" + name)
              .table(name + "_schema_history")
              .baselineOnMigrate(true)
              .baselineVersion("0")
              .load()
              .migrate();
    } catch (SQLException | FlywayException cause) {
      var failure = new R2dbcNonTransientResourceException("cannot migrate", cause);
      observe(failure);
      throw failure;
    }
  }

  /**
   * One statement in a transaction of its own.
   *
   * @param parameters values of {@code $1}, {@code $2}, …
   */
  public <T> Mono<List<T>> query(String sql, Function<Row, T> mapper, List<?> parameters) {
    return query(sql, mapper, parameters, TIMEOUT);
  }

  <T> Mono<List<T>> query(
      String sql, Function<Row, T> mapper, List<?> parameters, Duration timeout) {
    return use(connection -> execute(connection, sql, mapper, parameters), timeout);
  }

  /** Several statements in one transaction, committed if none fails. */
  <T> Mono<T> transaction(Function<Connection, Mono<T>> work) {
    return use(
        connection ->
            Mono.from(connection.beginTransaction())
                .then(work.apply(connection))
                .flatMap(result -> Mono.from(connection.commitTransaction()).thenReturn(result)),
        TIMEOUT);
  }

  private <T> Mono<T> use(Function<Connection, Mono<T>> work, Duration timeout) {
    return Mono.usingWhen(
            pool.create(),
            work,
            Connection::close,
            (connection, failure) -> discard(connection),
            PresenceDatabase::discard)
        .timeout(
            timeout,
            Mono.error(
                () -> new R2dbcTimeoutException("no answer in " + timeout.toMillis() + " ms")))
        .doOnSuccess(result -> succeeded())
        .doOnError(this::observe);
  }

  /** The pool drops a connection that is closed; a transaction on it is rolled back. */
  private static Publisher<Void> discard(Connection pooled) {
    return Mono.<Void>fromRunnable(
            () -> {
              Connection connection = (Connection) ((Wrapped<?>) pooled).unwrap();
              // Not waited for: its last words may not get through.
              var unused = Mono.from(connection.close()).subscribe(closed -> {}, failure -> {});
            })
        .then(Mono.from(pooled.close()));
  }

  static <T> Mono<List<T>> execute(
      Connection connection, String sql, Function<Row, T> mapper, List<?> parameters) {
    Statement statement = connection.createStatement(sql);
    for (int i = 0; i < parameters.size(); i++) {
      statement.bind(i, parameters.get(i));
    }
    return Flux.from(statement.execute())
        .concatMap(result -> result.map((row, metadata) -> mapper.apply(row)))
        .collectList();
  }

  /**
   * Whether PostgreSQL refuses the very data (SQL states 22, data exception, and 23, integrity
   * constraint violation). Anything else can be mended: a missing table, a missing privilege or a
   * server that is read-only; nothing may be dropped for that.
   */
  static boolean isRefused(Throwable failure) {
    String state = failure instanceof R2dbcException known ? known.getSqlState() : null;
    return state != null && (state.startsWith("22") || state.startsWith("23"));
  }

  /** Whether the failure says that PostgreSQL cannot be reached, or not in time. */
  public static boolean isAway(Throwable failure) {
    return failure instanceof R2dbcTransientException
        || failure instanceof R2dbcNonTransientResourceException
        || failure instanceof IOException;
  }

  /** Whether it is PostgreSQL's failure, and was logged as such. */
  static boolean isObserved(Throwable failure) {
    return !isRefused(failure) && (isAway(failure) || failure instanceof R2dbcException);
  }

  private void succeeded() {
    if (!reachable) {
      log.info("PostgreSQL at {} is reachable for {}", settings, purpose);
    }
    reachable = true;
    failed = false;
  }

  private void observe(Throwable failure) {
    if (!isObserved(failure)) {
      return;
    }
    reachable = false;
    if (!failed) {
      failed = true;
      log.warn("PostgreSQL at {} fails for {}: {}", settings, purpose, rootMessage(failure));
    }
  }

  private static String rootMessage(Throwable failure) {
    Throwable root = failure;
    while (root.getCause() != null) {
      root = root.getCause();
    }
    return String.valueOf(root.getMessage()).lines().findFirst().orElse("").strip();
  }

  @Override
  public void close() {
    pool.dispose();
  }
}
