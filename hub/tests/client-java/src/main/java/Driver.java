import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionBuilder;
import com.microsoft.signalr.TransportEnum;
import io.reactivex.rxjava3.core.Single;
import io.reactivex.rxjava3.disposables.Disposable;
import io.reactivex.rxjava3.subjects.ReplaySubject;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Drives one unmodified com.microsoft.signalr client by JSON lines: see ../client/driver.mjs.
 *
 * <p>java Driver URL TRANSPORT PROTOCOL [skip-negotiation]
 */
final class Driver {
  private static final Gson GSON = new GsonBuilder().serializeNulls().create();
  private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

  private final HubConnection connection;
  private final Map<Long, Disposable> subscriptions = new ConcurrentHashMap<>();

  private Driver(String url, String transport, String protocol, List<String> more) {
    if (!protocol.equals("json")) {
      throw new IllegalArgumentException("this client speaks json");
    }
    connection =
        HubConnectionBuilder.create(url)
            .withTransport(
                switch (transport) {
                  case "auto" -> TransportEnum.ALL;
                  case "WebSockets" -> TransportEnum.WEBSOCKETS;
                  case "LongPolling" -> TransportEnum.LONG_POLLING;
                  default -> throw new IllegalArgumentException(transport);
                })
            .shouldSkipNegotiate(more.contains("skip-negotiation"))
            .build();
    for (String name : List.of("welcome", "message", "presence", "typing", "gap", "told")) {
      connection.on(name, value -> event(name, value), JsonElement.class);
    }
    // Handlers of this client have a fixed number of arguments.
    connection.on("note", (one, two) -> event("note", array(one, two)), JsonElement.class, JsonElement.class);
    connection.onWithResult("echo", (one, two) -> Single.just(array(one, two)), JsonElement.class, JsonElement.class);
    connection.onWithResult("fail", () -> Single.error(new IllegalStateException("not today")));
    connection.onClosed(error -> event("closed", error == null ? JsonNull.INSTANCE : new JsonPrimitive(words(error))));
  }

  public static void main(String[] arguments) throws Exception {
    List<String> words = Arrays.asList(arguments);
    Driver driver = new Driver(words.get(0), words.get(1), words.get(2), words.subList(3, words.size()));
    BufferedReader input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      driver.act(JsonParser.parseString(line).getAsJsonObject());
    }
    // The client's threads would keep the process running.
    System.exit(0);
  }

  private void act(JsonObject order) {
    long id = order.get("id").getAsLong();
    String target = order.has("target") ? order.get("target").getAsString() : "";
    Object[] arguments = order.has("arguments") ? objects(order.getAsJsonArray("arguments")) : new Object[0];
    try {
      switch (order.get("do").getAsString()) {
        case "start" -> connection.start().subscribe(() -> answer(id, connectionId()), error -> refuse(id, error));
        case "invoke" -> invoke(id, target, arguments);
        case "send" -> {
          connection.send(target, arguments);
          answer(id, JsonNull.INSTANCE);
        }
        case "stream" -> stream(id, target, arguments);
        case "cancel" -> {
          subscriptions.get(order.get("stream").getAsLong()).dispose();
          answer(id, JsonNull.INSTANCE);
        }
        case "upload" -> upload(id, target, arguments, order.getAsJsonArray("items"));
        case "stop" -> connection.stop().subscribe(() -> answer(id, JsonNull.INSTANCE), error -> refuse(id, error));
        default -> throw new IllegalArgumentException(order.toString());
      }
    } catch (RuntimeException error) {
      refuse(id, error);
    }
  }

  private void invoke(long id, String target, Object[] arguments) {
    connection
        .invoke(JsonElement.class, target, arguments)
        .subscribe(value -> answer(id, value), error -> refuse(id, error));
  }

  /** Starts a stream, and answers when it ends. */
  private void stream(long id, String target, Object[] arguments) {
    Disposable subscription =
        connection
            .stream(JsonElement.class, target, arguments)
            .subscribe(
                item -> {
                  JsonObject value = new JsonObject();
                  value.addProperty("stream", id);
                  value.add("item", item);
                  event("item", value);
                },
                error -> refuse(id, error),
                () -> answer(id, JsonNull.INSTANCE));
    subscriptions.put(id, subscription);
  }

  /** Invokes a method with a stream of items as the last argument. */
  private void upload(long id, String target, Object[] arguments, JsonArray items) {
    ReplaySubject<JsonElement> subject = ReplaySubject.create();
    items.forEach(subject::onNext);
    subject.onComplete();
    List<Object> all = new ArrayList<>(Arrays.asList(arguments));
    all.add(subject);
    invoke(id, target, all.toArray());
  }

  private JsonElement connectionId() {
    String id = connection.getConnectionId();
    return id == null ? JsonNull.INSTANCE : new JsonPrimitive(id);
  }

  private static Object[] objects(JsonArray array) {
    List<Object> objects = new ArrayList<>();
    array.forEach(objects::add);
    return objects.toArray();
  }

  private static JsonArray array(JsonElement... elements) {
    JsonArray array = new JsonArray();
    Arrays.stream(elements).forEach(array::add);
    return array;
  }

  private static String words(Throwable error) {
    return error.getMessage() == null ? error.toString() : error.getMessage();
  }

  private static void event(String name, JsonElement value) {
    JsonObject line = new JsonObject();
    line.addProperty("event", name);
    line.add("value", value);
    say(line);
  }

  private static void answer(long id, JsonElement value) {
    JsonObject line = new JsonObject();
    line.addProperty("id", id);
    line.add("value", value);
    say(line);
  }

  private static void refuse(long id, Throwable error) {
    JsonObject line = new JsonObject();
    line.addProperty("id", id);
    line.addProperty("error", words(error));
    say(line);
  }

  private static synchronized void say(JsonObject line) {
    OUT.println(GSON.toJson(line));
  }
}
