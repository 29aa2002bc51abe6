package dev.hawser.peers;

import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import java.util.Map;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.core.SpringVersion;
import org.springframework.http.server.reactive.ReactorHttpHandlerAdapter;
import org.springframework.web.reactive.HandlerMapping;
import org.springframework.web.reactive.config.EnableWebFlux;
import org.springframework.web.reactive.handler.SimpleUrlHandlerMapping;
import org.springframework.web.reactive.socket.WebSocketHandler;
import org.springframework.web.reactive.socket.WebSocketMessage;
import org.springframework.web.server.adapter.WebHttpHandlerBuilder;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Sinks;
import reactor.netty.http.server.HttpServer;

/** Spring WebFlux on Reactor Netty: one sink, whose messages every session sends. */
public final class WebFluxPeer implements PeerServer {

  private static final int HIGHEST = -1;

  /** Runs it. */
  public static void main(String[] arguments) throws Exception {
    PeerServer.run(new WebFluxPeer(), arguments);
  }

  @Override
  public String versions() {
    return "Spring WebFlux %s, Reactor Netty %s, Netty %s"
        .formatted(
            SpringVersion.getVersion(),
            PeerServer.versionOf(HttpServer.class),
            PeerServer.versionOf(Channel.class));
  }

  @Override
  public void listen(int port) {
    var context = new AnnotationConfigApplicationContext(Routes.class);
    var handler = WebHttpHandlerBuilder.applicationContext(context).build();
    HttpServer.create()
        .host(HOST)
        .port(port)
        .option(ChannelOption.SO_BACKLOG, BACKLOG)
        .childOption(ChannelOption.TCP_NODELAY, true)
        .handle(new ReactorHttpHandlerAdapter(handler))
        .bindNow();
  }

  /** What Spring finds. */
  @Configuration
  @EnableWebFlux
  static class Routes {

    @Bean
    HandlerMapping webSockets() {
      Sinks.Many<String> messages = Sinks.many().multicast().directBestEffort();
      // Each session has a queue of its own: the sink forgets what one is not ready for.
      WebSocketHandler subscribe =
          session -> {
            Flux<WebSocketMessage> sent =
                messages.asFlux().onBackpressureBuffer().map(session::textMessage);
            return session.send(sent).and(session.receive().then());
          };
      WebSocketHandler publish =
          session ->
              session
                  .receive()
                  .map(WebSocketMessage::getPayloadAsText)
                  .doOnNext(text -> messages.tryEmitNext(text).orThrow())
                  .then();
      return new SimpleUrlHandlerMapping(Map.of(SUBSCRIBE, subscribe, PUBLISH, publish), HIGHEST);
    }
  }
}
