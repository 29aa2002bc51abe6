package dev.hawser.gateway.metrics;

import dev.hawser.gateway.connection.ConnectionListener;
import dev.hawser.protocol.client.DisconnectCode;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.binder.jvm.JvmGcMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmMemoryMetrics;
import io.micrometer.core.instrument.binder.jvm.JvmThreadMetrics;
import io.micrometer.core.instrument.binder.system.ProcessorMetrics;
import io.micrometer.prometheusmetrics.PrometheusConfig;
import io.micrometer.prometheusmetrics.PrometheusMeterRegistry;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.apache.pekko.actor.typed.ActorSystem;
import org.apache.pekko.actor.typed.Extension;
import org.apache.pekko.actor.typed.ExtensionId;

/** The node's figures; one instance per actor system. Names are listed in docs/operations.md. */
public final class GatewayMetrics implements ConnectionListener, Extension, AutoCloseable {

  private static final class Id extends ExtensionId<GatewayMetrics> {
    @Override
    public GatewayMetrics createExtension(ActorSystem<?> system) {
      return new GatewayMetrics();
    }
  }

  private static final Id ID = new Id();

  private final PrometheusMeterRegistry registry =
      new PrometheusMeterRegistry(PrometheusConfig.DEFAULT);
  private final JvmGcMetrics collections = new JvmGcMetrics();
  private final LongAdder connections = new LongAdder();
  private final LongAdder pushes = new LongAdder();
  private final Counter connects;

  /** Micrometer holds what a function counter counts weakly; these must not be collected. */
  private final List<Supplier<Number>> counted = new CopyOnWriteArrayList<>();

  /** The figures of this system. */
  public static GatewayMetrics get(ActorSystem<?> system) {
    return system.registerExtension(ID);
  }

  private GatewayMetrics() {
    collections.bindTo(registry);
    new JvmMemoryMetrics().bindTo(registry);
    new JvmThreadMetrics().bindTo(registry);
    new ProcessorMetrics().bindTo(registry);
    connects =
        Counter.builder("hawser.connects")
            .description("Clients that connected, after their token was checked")
            .register(registry);
    gauge("hawser.connections", "Clients connected now", connections::sum);
    counter("hawser.pushes", "Frames pushed to clients", pushes::sum);
  }

  /** Registers a number that goes up and down. */
  public void gauge(String name, String description, Supplier<Number> value) {
    Gauge.builder(name, value).description(description).register(registry);
  }

  /** Registers a number that only goes up. */
  public void counter(String name, String description, Supplier<Number> value, String... tags) {
    counted.add(value);
    FunctionCounter.builder(name, value, number -> number.get().doubleValue())
        .description(description)
        .tags(tags)
        .register(registry);
  }

  @Override
  public void connected(String user) {
    connects.increment();
    connections.increment();
  }

  @Override
  public void disconnected(String user) {
    connections.decrement();
  }

  @Override
  public void closed(DisconnectCode code) {
    Counter.builder("hawser.disconnects")
        .description("Transports that ended, by code; 3000: not by the server")
        .tag("code", Integer.toString(code.code()))
        .register(registry)
        .increment();
  }

  @Override
  public void pushed() {
    pushes.increment();
  }

  /** All figures in Prometheus' text format. */
  String scrape() {
    return registry.scrape();
  }

  @Override
  public void close() {
    collections.close();
    registry.close();
  }
}
