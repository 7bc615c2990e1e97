import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.sql.DriverManager;
import java.sql.SQLException;
import java.util.Scanner;

/** Connects to each JDBC URI on standard input, and prints who it is and where, or why it could not connect. */
class Login {
    public static void main(String[] arguments) {
        var output = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        new Scanner(System.in, StandardCharsets.UTF_8).useDelimiter("\n").forEachRemaining(uri -> output.println(login(uri)));
    }

    private static String login(String uri) {
        var query = "SELECT current_user || ' in ' || current_database()";
        try (var connection = DriverManager.getConnection(uri);
                var statement = connection.prepareStatement(query);
                var result = statement.executeQuery()) {
            result.next();
            return result.getString(1);
        } catch (SQLException failure) {
            return failure.getMessage().lines().findFirst().orElse("no message");
        }
    }
}
