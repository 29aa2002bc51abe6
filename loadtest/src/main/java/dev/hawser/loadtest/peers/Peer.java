package dev.hawser.loadtest.peers;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hawser.loadtest.client.WorkerPlan.Speech;
import dev.hawser.loadtest.server.Cluster;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Objects;

/** Who is measured, and how each is started. */
enum Peer {
  HAWSER("Hawser", Speech.CENTRIFUGO),
  BARE_NETTY("bare Netty", Speech.PLAIN_TEXT),
  WEBFLUX("Spring WebFlux", Speech.PLAIN_TEXT),
  VERTX("Vert.x", Speech.PLAIN_TEXT),
  NCHAN("Nchan", Speech.PLAIN_TEXT),
  UWEBSOCKETS("uWebSockets", Speech.PLAIN_TEXT),
  SOCKET_IO("socket.io", Speech.SOCKET_IO),
  NETTY_SOCKETIO("netty-socketio", Speech.SOCKET_IO);

  private static final String PACKAGE = "dev.hawser.peers.";

  /** What npm writes when it is done. */
  private static final String INSTALLED = "node_modules/.package-lock.json";

  private static final List<Path> NGINX_MODULES =
      List.of(
          Path.of("/usr/lib/nginx/modules/ngx_nchan_module.so"),
          Path.of("/usr/lib64/nginx/modules/ngx_nchan_module.so"));

  final String title;
  private final Speech speech;

  Peer(String title, Speech speech) {
    this.title = title;
    this.speech = speech;
  }

  /** As it is written on the command line. */
  String text() {
    return name().toLowerCase(Locale.ROOT).replace('_', '-');
  }

  Speech speech() {
    return speech;
  }

  boolean isJvm() {
    return this != NCHAN && this != UWEBSOCKETS && this != SOCKET_IO;
  }

  String subscribePath() {
    return speech == Speech.SOCKET_IO ? "/socket.io/?EIO=4&transport=websocket" : "/subscribe";
  }

  String publishPath() {
    return speech == Speech.SOCKET_IO ? subscribePath() : "/publish";
  }

  /**
   * Starts it, and waits until it serves.
   *
   * @param directory for what it writes; it must be there
   * @throws NotInstalledException if this machine does not have it
   */
  Server start(Path directory) throws IOException, InterruptedException, NotInstalledException {
    int port = Cluster.freePort();
    return switch (this) {
      case HAWSER -> new HawserServer(directory);
      case BARE_NETTY -> jvm("BareNettyPeer", port, directory);
      case WEBFLUX -> jvm("WebFluxPeer", port, directory);
      case VERTX -> jvm("VertxPeer", port, directory);
      case NETTY_SOCKETIO -> jvm("NettySocketIoPeer", port, directory);
      case NCHAN -> nginx(port, directory);
      case UWEBSOCKETS -> npm("uwebsockets", "node_modules/.bin/bun", port, directory);
      case SOCKET_IO -> npm("socket.io", "node", port, directory);
    };
  }

  /** A main class of the module {@code peers}, with the JVM options of Hawser's nodes. */
  private Server jvm(String main, int port, Path directory)
      throws IOException, InterruptedException, NotInstalledException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    String script = System.getProperty("hawser.command");
    if (script == null) {
      // In a test, which has them on its own class path.
      command.addAll(
          List.of(
              "--enable-native-access=ALL-UNNAMED",
              "--sun-misc-unsafe-memory-access=allow",
              "-cp",
              System.getProperty("java.class.path")));
    } else {
      Path home = Path.of(script).toRealPath().resolve("../..").normalize();
      Path target = home.resolve("peers").resolve("target");
      if (!Files.isDirectory(target.resolve("lib"))) {
        throw new NotInstalledException("%s is not there".formatted(target.resolve("lib")));
      }
      command.add("@" + home.resolve("bin").resolve("jvm.options"));
      command.addAll(List.of("-cp", "%s/*:%s/lib/*".formatted(target, target)));
    }
    // By a name of its own, as in a test Hawser's is there, too.
    command.add("-Dlogback.configurationFile=logback-peers.xml");
    command.add(PACKAGE + main);
    command.add(Integer.toString(port));
    return new PeerProcess(this, port, command, directory);
  }

  /** Debian's packages nginx and libnginx-mod-nchan, or what is where they would be. */
  private Server nginx(int port, Path directory)
      throws IOException, InterruptedException, NotInstalledException {
    Path module =
        NGINX_MODULES.stream()
            .filter(Files::exists)
            .findFirst()
            .orElseThrow(() -> new NotInstalledException("no Debian package libnginx-mod-nchan"));
    String configuration =
        new String(resource("nginx.conf").readAllBytes(), UTF_8)
            .replace("@MODULE@", module.toString())
            .replace("@PORT@", Integer.toString(port));
    Path prefix = Files.createDirectories(directory.resolve("nginx")).toAbsolutePath();
    Path file = Files.writeString(prefix.resolve("nginx.conf"), configuration);
    List<String> command =
        List.of(nginxProgram(), "-p", prefix.toString(), "-c", file.toString(), "-e", "stderr");
    return new PeerProcess(this, port, command, directory);
  }

  static String nchanVersions() throws IOException {
    String nginx = Programs.output(nginxProgram(), "-v").replaceFirst(".*/", "");
    String nchan = Programs.output("dpkg-query", "-W", "-f=${Version}", "libnginx-mod-nchan");
    return "Nchan %s, nginx %s".formatted(nchan, nginx);
  }

  /**
   * A server of JavaScript, with what it needs from npm, which stays in the user's cache.
   *
   * @param program on the path, or, with a slash, among what was installed
   */
  private Server npm(String name, String program, int port, Path directory)
      throws IOException, InterruptedException, NotInstalledException {
    if (!Programs.isThere("node")) {
      throw new NotInstalledException("no node on the path");
    }
    Path cache = Files.createDirectories(Programs.cache().resolve(name));
    Path script = cache.resolve("server.js");
    Path wanted = cache.resolve("package.json");
    try (InputStream server = resource(name + "/server.js");
        InputStream content = resource(name + "/package.json")) {
      Files.copy(server, script, StandardCopyOption.REPLACE_EXISTING);
      byte[] packages = content.readAllBytes();
      if (!Files.exists(wanted) || !new String(packages, UTF_8).equals(Files.readString(wanted))) {
        Files.write(wanted, packages);
        Files.deleteIfExists(cache.resolve(INSTALLED));
      }
    }
    if (!Files.exists(cache.resolve(INSTALLED))) {
      Programs.install(cache, directory.resolve("npm.log"));
    }
    String executable = program.contains("/") ? cache.resolve(program).toString() : program;
    if (!Programs.isThere(executable)) {
      throw new NotInstalledException("%s does not run here".formatted(executable));
    }
    return new PeerProcess(
        this, port, List.of(executable, script.toString(), Integer.toString(port)), directory);
  }

  private static String nginxProgram() {
    // Not on the path of those who are not root.
    return Files.isExecutable(Path.of("/usr/sbin/nginx")) ? "/usr/sbin/nginx" : "nginx";
  }

  private static InputStream resource(String name) {
    return Objects.requireNonNull(Peer.class.getResourceAsStream(name), name);
  }
}
