package dev.hawser.gateway.http;

import static org.apache.pekko.http.javadsl.server.Directives.completeWithFuture;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.extractRequest;
import static org.apache.pekko.http.javadsl.server.Directives.get;
import static org.apache.pekko.http.javadsl.server.Directives.options;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.PathMatchers.segment;

import dev.hawser.gateway.connection.AllowedOrigins;
import dev.hawser.gateway.connection.AuthenticationException;
import dev.hawser.gateway.connection.AuthenticationException.Reason;
import dev.hawser.gateway.connection.Authenticator;
import dev.hawser.gateway.session.Nodes;
import dev.hawser.presence.http.Answers;
import dev.hawser.presence.http.ApiKeys;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.function.BooleanSupplier;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.StatusCode;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.server.Route;
import org.jspecify.annotations.Nullable;

/**
 * {@code GET /api/connection-url}: the WebSocket address of the node that owns a user's session. A
 * client that connects there needs no hop between nodes; one that connects anywhere else works,
 * too. So where that node takes no clients, because it stops, is full or seems to be dead, another
 * one is named. Clients ask with their token, back ends with the API key and {@code user}.
 */
public final class ConnectionUrlRoute {

  private static final String BEARER = "Bearer ";
  private static final String RETRY_SECONDS = "2";

  private final Authenticator authenticator;
  private final ApiKeys apiKeys;
  private final AllowedOrigins allowedOrigins;
  private final Nodes nodes;
  private final String ownUrl;
  private final BooleanSupplier ready;
  private final Answers answers = new Answers();

  /**
   * Takes whom it answers and what it knows.
   *
   * @param allowedOrigins web pages that may ask
   * @param ownUrl for users whose session is nowhere at the moment, or on a node that takes nobody
   * @param ready whether this node may be named
   */
  public ConnectionUrlRoute(
      Authenticator authenticator,
      ApiKeys apiKeys,
      AllowedOrigins allowedOrigins,
      Nodes nodes,
      String ownUrl,
      BooleanSupplier ready) {
    this.authenticator = authenticator;
    this.apiKeys = apiKeys;
    this.allowedOrigins = allowedOrigins;
    this.nodes = nodes;
    this.ownUrl = ownUrl;
    this.ready = ready;
  }

  /** The route. */
  public Route route() {
    return path(
        segment("api").slash("connection-url"),
        () ->
            extractRequest(
                request ->
                    concat(
                        get(
                            () ->
                                completeWithFuture(
                                    answer(request)
                                        .thenApply(answer -> readable(request, answer)))),
                        options(
                            () ->
                                completeWithFuture(
                                    CompletableFuture.completedFuture(preflight(request)))))));
  }

  private CompletionStage<HttpResponse> answer(HttpRequest request) {
    String authorization = header(request, "Authorization");
    if (authorization != null && authorization.startsWith(BEARER)) {
      return authenticator
          .authenticate(authorization.substring(BEARER.length()).strip())
          .handle(
              (identity, failure) -> identity == null ? refusal(failure) : urlOf(identity.user()));
    }
    String key = header(request, "X-API-Key");
    HttpResponse answer;
    if (key == null) {
      answer =
          problem(
              StatusCodes.UNAUTHORIZED,
              "expected the user's token (Authorization: Bearer …), or X-API-Key and ?user=…");
    } else if (!apiKeys.accept(key)) {
      answer = problem(StatusCodes.UNAUTHORIZED, apiKeys.refusal());
    } else {
      String user = request.getUri().query().get("user").orElse("");
      answer =
          user.isEmpty()
              ? answers.problem(StatusCodes.BAD_REQUEST, "missing, expected a user id", "user")
              : urlOf(user);
    }
    return CompletableFuture.completedFuture(answer);
  }

  private HttpResponse urlOf(String user) {
    Optional<String> owner = user.isEmpty() ? Optional.empty() : nodes.urlOf(user);
    return owner
        .or(() -> ready.getAsBoolean() ? Optional.of(ownUrl) : nodes.anyUrl())
        .map(url -> answers.ok(Map.of("url", url)))
        .orElseGet(
            () ->
                problem(StatusCodes.SERVICE_UNAVAILABLE, "no node is ready, try again")
                    .addHeader(RawHeader.create("Retry-After", RETRY_SECONDS)));
  }

  private HttpResponse refusal(@Nullable Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause instanceof AuthenticationException refused
            && refused.reason() != Reason.UNAVAILABLE
        ? problem(StatusCodes.UNAUTHORIZED, refused.getMessage())
        : problem(StatusCodes.SERVICE_UNAVAILABLE, "tokens cannot be checked now, try again")
            .addHeader(RawHeader.create("Retry-After", RETRY_SECONDS));
  }

  private HttpResponse problem(StatusCode status, @Nullable String detail) {
    return answers.problem(status, detail, null);
  }

  /** A page may read the answer if it may connect (CORS). */
  private HttpResponse readable(HttpRequest request, HttpResponse answer) {
    String origin = header(request, "Origin");
    return origin == null || !allowedOrigins.allow(origin, header(request, "Host"))
        ? answer
        : answer
            .addHeader(RawHeader.create("Access-Control-Allow-Origin", origin))
            .addHeader(RawHeader.create("Vary", "Origin"));
  }

  private HttpResponse preflight(HttpRequest request) {
    return readable(request, HttpResponse.create().withStatus(StatusCodes.NO_CONTENT))
        .addHeader(RawHeader.create("Access-Control-Allow-Methods", "GET"))
        .addHeader(RawHeader.create("Access-Control-Allow-Headers", "Authorization"))
        .addHeader(RawHeader.create("Access-Control-Max-Age", "600"));
  }

  private static @Nullable String header(HttpRequest request, String name) {
    return request.getHeader(name).map(HttpHeader::value).orElse(null);
  }
}
