package dev.hawser.gateway.http;

import static org.apache.pekko.http.javadsl.server.Directives.complete;
import static org.apache.pekko.http.javadsl.server.Directives.completeWithFuture;
import static org.apache.pekko.http.javadsl.server.Directives.concat;
import static org.apache.pekko.http.javadsl.server.Directives.extractMaterializer;
import static org.apache.pekko.http.javadsl.server.Directives.extractRequest;
import static org.apache.pekko.http.javadsl.server.Directives.getFromResource;
import static org.apache.pekko.http.javadsl.server.Directives.path;
import static org.apache.pekko.http.javadsl.server.Directives.pathEndOrSingleSlash;
import static org.apache.pekko.http.javadsl.server.Directives.pathPrefix;
import static org.apache.pekko.http.javadsl.server.Directives.reject;
import static org.apache.pekko.http.javadsl.server.PathMatchers.segment;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.hawser.gateway.http.ServerApi.Answer;
import dev.hawser.presence.http.ApiKeys;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.apache.pekko.http.javadsl.model.ContentTypes;
import org.apache.pekko.http.javadsl.model.HttpEntities;
import org.apache.pekko.http.javadsl.model.HttpHeader;
import org.apache.pekko.http.javadsl.model.HttpMethod;
import org.apache.pekko.http.javadsl.model.HttpMethods;
import org.apache.pekko.http.javadsl.model.HttpRequest;
import org.apache.pekko.http.javadsl.model.HttpResponse;
import org.apache.pekko.http.javadsl.model.StatusCode;
import org.apache.pekko.http.javadsl.model.StatusCodes;
import org.apache.pekko.http.javadsl.model.headers.RawHeader;
import org.apache.pekko.http.javadsl.server.Route;
import org.apache.pekko.http.scaladsl.model.EntityStreamSizeException;
import org.apache.pekko.stream.Materializer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Centrifugo's server API: {@code POST /api/<method>}, {@code POST /api/batch}, and the older
 * {@code POST /api} with the method in the body. {@code POST /api/presence} is Hawser's own.
 */
public final class ServerApiRoutes {

  private static final Logger log = LoggerFactory.getLogger(ServerApiRoutes.class);

  private static final long MAX_BODY_BYTES = 2L << 20;
  private static final Duration BODY_TIMEOUT = Duration.ofSeconds(10);

  private static final ObjectMapper JSON = new ObjectMapper();

  private final ServerApi api;
  private final ApiKeys apiKeys;

  /** Takes what it calls and whom it answers. */
  public ServerApiRoutes(ServerApi api, ApiKeys apiKeys) {
    this.api = api;
    this.apiKeys = apiKeys;
  }

  /** What a body is answered with; throws IllegalArgumentException for one that is malformed. */
  private interface Endpoint {
    CompletionStage<HttpResponse> answer(HttpRequest request, byte[] body);
  }

  /** Of {@code /api}; passes on what it does not know. */
  public Route route() {
    return pathPrefix(
        "api",
        () ->
            concat(
                pathEndOrSingleSlash(() -> post(this::commands)),
                path(
                    segment("openapi").slash("server.json"),
                    () -> only(HttpMethods.GET, () -> getFromResource("openapi/server.json"))),
                path(segment(), this::method)));
  }

  private Route method(String name) {
    if (name.equals("batch")) {
      return post(this::batch);
    }
    return ServerApi.METHODS.contains(name) && !name.equals("presence")
        ? post((request, body) -> call(name, request, body))
        : reject();
  }

  private Route post(Endpoint endpoint) {
    return only(
        HttpMethods.POST,
        () ->
            extractMaterializer(
                materializer ->
                    extractRequest(
                        request -> completeWithFuture(answer(endpoint, request, materializer)))));
  }

  private Route only(HttpMethod allowed, Supplier<Route> route) {
    return extractRequest(
        request -> {
          if (!request.method().equals(allowed)) {
            return complete(
                empty(StatusCodes.METHOD_NOT_ALLOWED)
                    .addHeader(RawHeader.create("Allow", allowed.value())));
          }
          return apiKeys.accept(key(request))
              ? route.get()
              : complete(empty(StatusCodes.UNAUTHORIZED));
        });
  }

  /** Empty if there is none. */
  private static String key(HttpRequest request) {
    String key = header(request, "X-API-Key");
    if (key != null) {
      return key;
    }
    String authorization = header(request, "Authorization");
    if (authorization == null) {
      return request.getUri().query().get("api_key").orElse("");
    }
    String[] words = authorization.strip().split("\\s+", 2);
    return words.length == 2 && words[0].equalsIgnoreCase("apikey") ? words[1] : "";
  }

  private static CompletionStage<HttpResponse> answer(
      Endpoint endpoint, HttpRequest request, Materializer materializer) {
    return request
        .entity()
        .withSizeLimit(MAX_BODY_BYTES)
        .toStrict(BODY_TIMEOUT.toMillis(), materializer)
        .thenCompose(body -> endpoint.answer(request, body.getData().toArrayUnsafe()))
        .exceptionally(failure -> refusal(request, failure));
  }

  private static HttpResponse refusal(HttpRequest request, Throwable failure) {
    Throwable cause =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    return switch (cause) {
      case ApiException refused -> response(request, new Answer(Map.of(), refused));
      case IllegalArgumentException malformed ->
          text(StatusCodes.BAD_REQUEST, String.valueOf(malformed.getMessage()));
      case EntityStreamSizeException large ->
          text(StatusCodes.CONTENT_TOO_LARGE, "expected at most 2 MiB");
      case TimeoutException slow ->
          text(StatusCodes.REQUEST_TIMEOUT, "the body did not come in time");
      default -> {
        log.warn("a request cannot be read", cause);
        yield text(StatusCodes.INTERNAL_SERVER_ERROR, "the body cannot be read");
      }
    };
  }

  private CompletionStage<HttpResponse> call(String method, HttpRequest request, byte[] body) {
    return api.call(method, single(body)).thenApply(answer -> response(request, answer));
  }

  private static HttpResponse response(HttpRequest request, Answer answer) {
    ApiException error = answer.error();
    return error != null && "transport".equals(header(request, "X-Centrifugo-Error-Mode"))
        ? json(StatusCodes.get(error.status()), write(error.reply()))
        : json(StatusCodes.OK, write(answer.json()));
  }

  private CompletionStage<HttpResponse> batch(HttpRequest request, byte[] body) {
    return api.batch(single(body)).thenApply(replies -> json(StatusCodes.OK, write(replies)));
  }

  private static ApiRequest single(byte[] body) {
    List<ApiRequest> requests = ApiRequest.readAll(body);
    if (requests.size() > 1) {
      throw new IllegalArgumentException("expected one JSON object");
    }
    return requests.getFirst();
  }

  /** Older requests: an object each, one after the other, and so the answers. */
  private CompletionStage<HttpResponse> commands(HttpRequest request, byte[] body) {
    return api.commands(ApiRequest.readAll(body))
        .thenApply(
            replies ->
                json(
                    StatusCodes.OK,
                    replies.stream()
                        .map(ServerApiRoutes::write)
                        .collect(Collectors.joining("\n"))));
  }

  private static @Nullable String header(HttpRequest request, String name) {
    return request.getHeader(name).map(HttpHeader::value).orElse(null);
  }

  private static HttpResponse empty(StatusCode status) {
    return HttpResponse.create().withStatus(status);
  }

  private static HttpResponse text(StatusCode status, String text) {
    return empty(status).withEntity(HttpEntities.create(ContentTypes.TEXT_PLAIN_UTF8, text));
  }

  private static HttpResponse json(StatusCode status, String json) {
    return empty(status).withEntity(HttpEntities.create(ContentTypes.APPLICATION_JSON, json));
  }

  private static String write(Object value) {
    try {
      return JSON.writeValueAsString(value);
    } catch (JsonProcessingException impossible) {
      throw new IllegalStateException(impossible);
    }
  }
}
